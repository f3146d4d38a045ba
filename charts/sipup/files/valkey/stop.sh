#!/bin/sh
# The preStop hook: lets a replica take over before its primary ends, so that nobody waits for the cluster to notice.
#
# VALKEY_PASSWORD
export REDISCLI_AUTH="$VALKEY_PASSWORD"

ask() { timeout 3 valkey-cli -h "$@" 2>/dev/null | tr -d '\r'; }

ask 127.0.0.1 info replication | grep -qx 'role:master' || exit 0
id=$(ask 127.0.0.1 cluster myid)
# ID ADDRESS FLAGS PRIMARY …: a replica of this node that answers.
replica=$(ask 127.0.0.1 cluster nodes | awk -v id="$id" '$4 == id && $3 == "slave" && $8 == "connected" { split($2, address, ":"); print address[1]; exit }')
[ -n "$replica" ] || exit 0
[ "$(ask "$replica" cluster failover)" = OK ] || exit 0
# OK is only a promise.
for _ in 1 2 3 4 5 6 7 8 9 10; do
  ask 127.0.0.1 info replication | grep -qx 'role:slave' && exit 0
  sleep 0.5
done
exit 0
