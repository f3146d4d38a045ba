#!/bin/sh
# Alive: answers at all. While it reads its data it answers LOADING, which is no reason to kill it. Password: REDISCLI_AUTH.
answer=$(valkey-cli -h "${VALKEY_HOST:-127.0.0.1}" -p "${VALKEY_PORT:-6379}" ping 2>/dev/null)
case $answer in
'' | 'Could not connect'* | 'Error:'*) exit 1 ;;
esac
