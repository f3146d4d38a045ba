#!/bin/sh
# Writes what only this pod knows, and runs the server.
#
# POD_IP, POD_HOST    by which peers and clients find this node
# VALKEY_PASSWORD     of clients and of replicas
set -eu

own=/run/valkey/own.conf
umask 077
{
  echo "cluster-announce-ip $POD_IP"
  echo "cluster-announce-hostname $POD_HOST"
  echo "requirepass $VALKEY_PASSWORD"
  echo "primaryauth $VALKEY_PASSWORD"
} >"$own"
unset VALKEY_PASSWORD
exec valkey-server /etc/valkey/valkey.conf
