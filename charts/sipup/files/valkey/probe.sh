#!/bin/sh
# probe.sh live    the server answers, even if it still loads
# probe.sh ready   it has its part in a working cluster, and a replica has all of its primary's data
#
# VALKEY_PASSWORD
export REDISCLI_AUTH="$VALKEY_PASSWORD"

ask() { timeout 3 valkey-cli -h 127.0.0.1 "$@" 2>/dev/null | tr -d '\r'; }

case ${1-} in
live) [ -n "$(ask ping)" ] ;;
ready)
  [ "$(ask ping)" = PONG ] || exit 1
  ask cluster info | grep -qx 'cluster_state:ok' || exit 1
  ! ask info replication | grep -qx 'master_link_status:down'
  ;;
*) exit 64 ;;
esac
