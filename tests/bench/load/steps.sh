#!/usr/bin/env bash
# Says what one call of each step costs: microseconds of CPU by group of processes.
#
#   steps.sh READY_FILE [RATE]
#
# One scenario for each step, at the same rate: the figure falls as the rate rises, so compare at one. `read order` and `repeat order`
# need an order first, so they are means with one order to seven calls.
set -euo pipefail

ready=${1:?usage: steps.sh READY_FILE [RATE]}
rate=${2:-300}
sipup=${SIPUP:-sipup}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

repeated() { printf '"order"'; printf ", \"$1\"%.0s" 1 2 3 4 5 6 7; }
declare -A steps=([view]='"view"' [list]='"list"' [search]='"search"' [prices]='"prices"' [order]='"order"' [history]='"history"'
  [me]='"me"' [read order]=$(repeated "read order") [repeat order]=$(repeated "repeat order"))
for name in view list search prices me history "read order" "repeat order" order; do
  printf 'think_time = "7s"\nrest_share = 0\nsku_skew = 0.99\n[[journey]]\nname = "%s"\nweight = 1\nsteps = [%s]\n' \
    "$name" "${steps[$name]}" >"$work/scenario.toml"
  "$sipup" load --stack "$ready" --scenario "$work/scenario.toml" --users 8000 --rate "$rate" --duration 15s --ramp 3s --restock --agree-prices \
    --identities 200 --json "$work/run.json" >"$work/run.txt" 2>&1 || [[ $? -le 2 ]]
  python3 - "$name" "$work/run.json" <<'PYTHON'
import json
import sys

name, path = sys.argv[1:]
run = json.load(open(path))[0]
outcomes = ("right", "declined", "limited", "shed", "failed", "wrong")
calls = sum(slot[outcome] for slot in run["timeline"]["counts"] for outcome in outcomes)
used = {group: use["cpu_seconds"] for group, use in run["overlay"]["processes"].items()}
used["generator"] = run["generator"]["cpu_seconds"]
cells = "  ".join(f"{group} {1e6 * seconds / calls:.0f}" for group, seconds in used.items())
print(f"{name:13} {calls} calls, {run['counts']['right']} right after the ramp, µs each: {cells}  all {1e6 * sum(used.values()) / calls:.0f}")
PYTHON
done
