#!/bin/sh
# Hands the slots over before the node is stopped: the container's preStop hook. Password: REDISCLI_AUTH.
#
# Without it the shard would be without a primary until the others miss it, 5 s and a vote later. Nothing here may fail the
# hook, since the node is stopped either way.
port=${VALKEY_PORT:-6379}
host=${VALKEY_HOST:-127.0.0.1}
# A hand-over takes well under a second; Valkey itself gives one up after 5 s.
longest_seconds=${1:-8}
here() { valkey-cli -h "$host" -p "$port" "$@" 2>/dev/null | tr -d '\r'; }
is_primary() { here info replication | grep -qx 'role:master'; }

# The address of the replica that has most of the data: "10.0.0.7 6379".
best_replica() {
  here info replication | tr ',' ' ' | awk '
    /^slave[0-9]+:/ {
      split("", field)
      sub(/^slave[0-9]+:/, "")
      for (i = 1; i <= NF; i++) { split($i, pair, "="); field[pair[1]] = pair[2] }
      if (field["state"] == "online" && field["offset"] + 0 >= best) { best = field["offset"] + 0; found = field["ip"] " " field["port"] }
    }
    END { print found }'
}

is_primary || exit 0
end=$(($(date +%s) + longest_seconds))
asked=0
while is_primary && [ "$(date +%s)" -lt "$end" ]; do
  # OK only means that the replica tries. It may fail, and is then asked again.
  if [ $((asked % 25)) = 0 ]; then
    set -- $(best_replica)
    [ $# = 2 ] || exit 0
    valkey-cli -h "$1" -p "$2" cluster failover >/dev/null 2>&1
  fi
  asked=$((asked + 1))
  sleep 0.2
done
exit 0
