#!/usr/bin/env bash
# Runs 20,000 users at the published rates, then searches the knee, and keeps reports beside each other.
#
#   headline.sh READY_FILE FOLDER [OPTION...]
#
# READY_FILE is that of a running `sipup up --ready-file`; each OPTION goes to `sipup load`, so that the limits of `up --limits` meet as
# many users as there are: --identities 20000 --signing-keys DATA_FOLDER/secrets/signing-keys. SIPUP names the program; RATES,
# SECONDS_EACH, WARM_UP (before measuring), KNEE_FROM (calls per second; empty: no search) and KNEE_SECONDS (of each trial) are what they
# say. Refuses to begin while others use the processor, because figures would be theirs as well; ANYWAY=1 begins all the same.
set -euo pipefail

ready=${1:?usage: headline.sh READY_FILE FOLDER [OPTION...]}
folder=${2:?usage: headline.sh READY_FILE FOLDER [OPTION...]}
options=("${@:3}")
sipup=${SIPUP:-sipup}
read -r -a rates <<<"${RATES:-400 2000 2857 5556}"
objectives='p99<100ms,success>99.99%'
mkdir -p "$folder"

# Percent of the last ten seconds in which something waited for a processor.
pressure() { awk -F'[= ]' '/^some/ { print int($3) }' /proc/pressure/cpu; }
if [[ ${ANYWAY:-0} != 1 && $(pressure) -gt 10 ]]; then
  echo "the machine is busy: something waited for a processor in $(pressure) % of the last 10 s" >&2
  exit 75
fi

# The generator shares the machine with what it measures, and a generator that starts late measures itself: it goes first, if it may.
first=()
if chrt --rr 1 true 2>/dev/null; then first=(chrt --rr 1); fi

# Once: filling up costs the seller a large part of an hour's calls, and orders take little of it.
restock=(--restock)
run() {
  local name=$1
  shift
  # 1 and 2 are verdicts, not mistakes.
  "${first[@]}" "$sipup" load --stack "$ready" --users 20000 --agree-prices "${restock[@]}" --slo "$objectives" --json "$folder/$name.json" \
    --warm-up "${WARM_UP:-everyone}" --report "$folder/$name.html" "${options[@]}" "$@" | tee "$folder/$name.txt" || [[ $? -le 2 ]]
  restock=()
}

for rate in "${rates[@]}"; do
  run "$rate" --rate "$rate" --duration "${SECONDS_EACH:-60}s"
done
if [[ -n ${KNEE_FROM=500} ]]; then
  run knee --find-knee --rate "$KNEE_FROM" --duration "${KNEE_SECONDS:-10}s" --ramp 2s
fi
