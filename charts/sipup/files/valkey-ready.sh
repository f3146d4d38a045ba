#!/bin/sh
# Ready: serves its slots, or follows a primary that does, in a cluster that is whole. Password: REDISCLI_AUTH.
#
# Not asked: whether every other node is up. Else one dead pod would make all of them unready.
port=${VALKEY_PORT:-6379}
host=${VALKEY_HOST:-127.0.0.1}
cli() { valkey-cli -h "$host" -p "$port" "$@" 2>/dev/null | tr -d '\r'; }

[ "$(cli ping)" = PONG ] || exit 1
cli cluster info | grep -qx 'cluster_state:ok' || exit 1
replication=$(cli info replication)
case $replication in
*role:slave*) printf '%s\n' "$replication" | grep -qx 'master_link_status:up' ;;
# A primary without slots is a newcomer that nobody has placed yet.
*role:master*) cli cluster nodes | awk '$3 ~ /myself/ { slots = NF - 8 } END { exit slots < 1 }' ;;
*) exit 1 ;;
esac
