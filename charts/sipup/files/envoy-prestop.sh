#!/bin/bash
# Lets clients of this Envoy go before it is stopped: the container's preStop hook.
#
#   envoy-prestop.sh [WAIT [LONGEST [ADMIN_PORT]]]
#
# WAIT      seconds until load balancers no longer choose this pod, 10
# LONGEST   seconds that calls and streams get after that, 45; the pod's grace period must be longer than both together
#
# Needs bash alone, which speaks TCP: the image has no curl. Nothing here may fail the hook, since Envoy is stopped either
# way.
wait_seconds=${1:-10}
longest_seconds=${2:-45}
admin_port=${3:-9901}

# request METHOD PATH: the answer of Envoy's admin port.
request() {
  exec 3<>"/dev/tcp/127.0.0.1/$admin_port" || return 1
  printf '%s %s HTTP/1.1\r\nHost: admin\r\nContent-Length: 0\r\nConnection: close\r\n\r\n' "$1" "$2" >&3
  cat <&3
  exec 3<&-
}

# Requests in flight of all listeners for clients; nothing if Envoy does not answer.
active_requests() {
  local line sum=
  while read -r line; do
    [[ $line =~ ^http\.edge(-tls)?\.downstream_rq_active:\ ([0-9]+) ]] && sum=$((sum + BASH_REMATCH[2]))
  done < <(request GET '/stats?filter=%5Ehttp%5C.edge(-tls)%3F%5C.downstream_rq_active%24')
  printf '%s' "$sum"
}

# From here on /ready and /healthz say no, and each answer asks its client to connect anew.
request POST /healthcheck/fail >/dev/null
sleep "$wait_seconds"

# Tells idle connections too, one by one. Without `skip_exit` Envoy would end with them, and with it the streams.
request POST '/drain_listeners?graceful&skip_exit' >/dev/null
end=$((SECONDS + longest_seconds))
while ((SECONDS < end)); do
  [[ $(active_requests) =~ ^0?$ ]] && break
  sleep 0.5
done
exit 0
