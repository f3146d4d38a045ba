#!/bin/sh
# Starts Valkey in its pod. Wants in the environment:
#
#   POD_NAME, POD_IP   from the downward API
#   VALKEY_DOMAIN      what follows the pod's name in its host name: <headless service>.<namespace>.svc.<cluster domain>
#   REDISCLI_AUTH      the password, which valkey-cli reads too
#
# The configuration is written anew into an emptyDir: a password among arguments could be read by every process.
set -eu
umask 077
config=${VALKEY_RUN_DIR:-/run/valkey}/valkey.conf
password=$(printf '%s' "$REDISCLI_AUTH" | sed 's/[\\"]/\\&/g')
{
  cat "${VALKEY_CONFIG:-/etc/valkey/valkey.conf}"
  # Without it the node would go on with the address of its pod before.
  printf 'cluster-announce-ip %s\n' "$POD_IP"
  # For valkey-prestop.sh, which asks the primary where its replica is.
  printf 'replica-announce-ip %s\n' "$POD_IP"
  printf 'cluster-announce-hostname %s.%s\n' "$POD_NAME" "$VALKEY_DOMAIN"
  printf 'requirepass "%s"\nprimaryauth "%s"\n' "$password" "$password"
} >"$config"
exec valkey-server "$config"
