#!/usr/bin/env bash
# Measures GetProduct with ghz and with `sipup load` in turn, at several rates, and prints both side by side.
#
#   compare.sh READY_FILE [RATE...]
#
# READY_FILE is that of a running `sipup up --ready-file`. SIPUP and GHZ name the two programs, SECONDS_EACH the length of a run,
# STALL=1 stops the catalogue's process for one second in the middle of each run.
set -euo pipefail

ready=${1:?usage: compare.sh READY_FILE [RATE...]}
shift
rates=("${@:-}")
[[ -n ${rates[0]} ]] || rates=(200 500 1000)
sipup=$(realpath "$(command -v "${SIPUP:-sipup}")")
ghz=$(realpath "$(command -v "${GHZ:-ghz}")")
seconds=${SECONDS_EACH:-15}
connections=8
here=$(cd "$(dirname "$0")" && pwd)
protos=$(cd "$here/../../../proto" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

field() { python3 -c 'import json, sys; print(eval("json.load(open(sys.argv[1]))" + sys.argv[2]))' "$ready" "$1"; }
url=$(field '["url"]')
target=${url#http://}
catalogue=$(field '["pids"]["catalog-0"]')
product=$(curl -sf "$url/v1/products?page_size=1" | python3 -c 'import json, sys; print(json.load(sys.stdin)["products"][0]["id"])')
buyer=$(field '["users"][1]["email"]')
password=$(field '["users"][1]["password"]')
token=$(curl -sf "$url/v1/auth/login" -d "{\"email\": \"$buyer\", \"password\": \"$password\"}" |
  python3 -c 'import json, sys; print(json.load(sys.stdin)["tokens"]["accessToken"])')

cat >"$work/view.toml" <<'SCENARIO'
think_time = "7s"
rest_share = 0
sku_skew = 0.99
[[journey]]
name = "view"
weight = 1
steps = ["view"]
SCENARIO

# Stops the catalogue for a second in the middle of a run, if that is asked for.
stall() {
  [[ ${STALL:-0} == 1 ]] || return 0
  (
    sleep "$(awk "BEGIN { print $seconds / 2 }")"
    kill -STOP "$catalogue"
    sleep 1
    kill -CONT "$catalogue"
  ) &
}

ours() {
  stall
  "$sipup" load --url "$url" --scenario "$work/view.toml" --arrivals constant --users 20000 --identities 1 \
    --identity-file "$work/users.json" --connections "$connections" --rate "$1" --ramp 0s --duration "${seconds}s" \
    --json "$work/ours.json" >"$work/ours.txt" 2>&1 || true
  wait
}

theirs() {
  stall
  # From the folder of the contracts: ghz looks for what they import there first.
  (cd "$protos" && "$ghz" --insecure --import-paths . --proto sipup/catalog/v1/catalog.proto \
    --call sipup.catalog.v1.CatalogService.GetProduct --data "{\"id\": \"$product\"}" \
    --metadata "{\"authorization\": \"Bearer $token\"}" --connections "$connections" --concurrency "$((connections * 8))" \
    --rps "$1" --duration "${seconds}s" --duration-stop wait --format json --output "$work/ghz.json" "$target" >"$work/ghz.txt" 2>&1) || cat "$work/ghz.txt"
  wait
}

printf '%8s  %-10s %9s %9s %9s %9s %9s %9s %8s\n' rate tool calls calls/s p50 p95 p99 max errors
for rate in "${rates[@]}"; do
  ours "$rate"
  theirs "$rate"
  python3 - "$rate" "$work" <<'PYTHON'
import json
import sys

rate, work = sys.argv[1:]
line = "{:>8}  {:<10} {:>9} {:>9.1f} {:>9.2f} {:>9.2f} {:>9.2f} {:>9.2f} {:>8}"
ours = json.load(open(f"{work}/ours.json"))[0]
counts, latency, service = ours["counts"], ours["latency"], ours["service"]
wrong = counts["offered"] - counts["right"]
for name, of in ("sipup", latency), (" service", service):
    print(line.format(rate, name, counts["offered"], ours["rate"], of["p50"], of["p95"], of["p99"], of["max"], wrong))
ghz = json.load(open(f"{work}/ghz.json"))
by = {entry["percentage"]: entry["latency"] / 1e6 for entry in ghz["latencyDistribution"] or []}
right = (ghz.get("statusCodeDistribution") or {}).get("OK", 0)
print(line.format(rate, "ghz", ghz["count"], ghz["rps"], by.get(50, 0), by.get(95, 0), by.get(99, 0), ghz["slowest"] / 1e6, ghz["count"] - right))
if ours["invalid"]:
    print("          sipup says INVALID:", "; ".join(ours["invalid"]))
PYTHON
done
