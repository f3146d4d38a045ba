#!/bin/bash
# Prepares the data folder, and runs the server, of either StatefulSet.
#
#   postgres.sh prepare   in an init container: makes the database, or clones the primary
#   postgres.sh start     the server
#
# ROLE               primary or replica: what the release wants this StatefulSet to be
# PRIMARY            host of the primary's Service
# PGDATA             the data folder; nothing is ever written beside it but PGDATA.new
# CONFIG             folder of postgresql.conf and pg_hba.conf
# POSTGRES_PASSWORD, REPLICATION_PASSWORD
#
# A folder that was a primary's is never wiped here: that is for a person to decide.
set -euo pipefail

slot=replica
passfile=/tmp/passfile

say() { echo "postgres.sh: $*"; }

fail() {
  say "$*" >&2
  exit 1
}

on_primary() {
  PGPASSWORD="$POSTGRES_PASSWORD" PGCONNECT_TIMEOUT=5 \
    psql --no-psqlrc --no-align --tuples-only --quiet --set ON_ERROR_STOP=1 --host "$PRIMARY" --username postgres --dbname postgres "$@"
}

# setting NAME: what pg_controldata says of NAME.
setting() { pg_controldata -D "$PGDATA" | sed -n "s/^$1: *//p"; }

prepare() {
  mkdir -p "$(dirname "$PGDATA")"
  rm -rf "$PGDATA.new"
  # The volume's group may have been given rights that the server refuses.
  if [ -d "$PGDATA" ]; then chmod 0700 "$PGDATA"; fi
  if [ "$ROLE" = primary ]; then make_database; else follow; fi
}

make_database() {
  if [ -s "$PGDATA/PG_VERSION" ]; then
    say "there is a database already"
    return
  fi
  # Made beside its place and moved when whole: being killed leaves nothing half done.
  initdb --pgdata "$PGDATA.new" --username postgres --pwfile <(printf '%s\n' "$POSTGRES_PASSWORD") \
    --encoding UTF8 --locale-provider builtin --builtin-locale C.UTF-8 --data-checksums
  postgres --single -D "$PGDATA.new" postgres <<<'CREATE DATABASE sipup;'
  put_in_place
  say "made a new database"
}

put_in_place() {
  rm -rf "$PGDATA"
  chmod 0700 "$PGDATA.new"
  mv "$PGDATA.new" "$PGDATA"
  sync
}

follow() {
  if [ -s "$PGDATA/PG_VERSION" ] && [ ! -e "$PGDATA/standby.signal" ]; then
    fail "this volume holds the data of a former primary. It is never wiped by itself: delete the volume claim to clone it anew (docs/runbooks/promote-the-replica.md)"
  fi
  until on_primary --command 'SELECT 1' >/dev/null; do
    say "waiting for the primary at $PRIMARY"
    sleep 2
  done
  # The password arrives as a literal: psql quotes its variables.
  on_primary --set password="$REPLICATION_PASSWORD" <<'SQL'
SELECT 'CREATE ROLE replicator LOGIN REPLICATION' WHERE to_regrole('replicator') IS NULL \gexec
ALTER ROLE replicator PASSWORD :'password';
SQL
  if [ -s "$PGDATA/PG_VERSION" ] && ! can_follow; then
    say "cloning again"
    rm -rf "$PGDATA"
  fi
  on_primary --command "SELECT pg_create_physical_replication_slot('$slot', true)
    WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = '$slot')" >/dev/null
  if [ -s "$PGDATA/PG_VERSION" ]; then
    say "goes on from where it was"
    return
  fi
  PGPASSWORD="$REPLICATION_PASSWORD" pg_basebackup --pgdata "$PGDATA.new" --host "$PRIMARY" --username replicator \
    --wal-method stream --checkpoint fast --slot "$slot"
  touch "$PGDATA.new/standby.signal"
  put_in_place
  say "cloned the primary"
}

can_follow() {
  local theirs lost
  theirs=$(on_primary --command 'SELECT system_identifier FROM pg_control_system()')
  if [ "$theirs" != "$(setting 'Database system identifier')" ]; then
    say "the primary is another database than the one cloned"
    return 1
  fi
  lost=$(on_primary --command "SELECT slot_name FROM pg_replication_slots WHERE slot_name = '$slot' AND wal_status = 'lost'")
  if [ -n "$lost" ]; then
    say "the primary no longer has the log that is missing here"
    on_primary --command "SELECT pg_drop_replication_slot('$slot')" >/dev/null
    return 1
  fi
}

start() {
  local options=(-D "$PGDATA" -c "config_file=$CONFIG/postgresql.conf" -c "hba_file=$CONFIG/pg_hba.conf")
  if [ "$ROLE" = replica ]; then
    (umask 077 && printf '*:*:*:replicator:%s\n' "$REPLICATION_PASSWORD" >"$passfile")
    options+=(-c "primary_conninfo=host=$PRIMARY user=replicator passfile=$passfile application_name=${HOSTNAME:-replica} connect_timeout=5")
    options+=(-c "primary_slot_name=$slot")
    options+=(-c "max_connections=$(at_least max_connections 'max_connections setting')")
    options+=(-c "max_wal_senders=$(at_least max_wal_senders 'max_wal_senders setting')")
    options+=(-c "max_worker_processes=$(at_least max_worker_processes 'max_worker_processes setting')")
    options+=(-c "max_locks_per_transaction=$(at_least max_locks_per_transaction 'max_locks_per_xact setting')")
  elif [ -e "$PGDATA/standby.signal" ]; then
    say "a replica until now: will be promoted"
    promote &
  fi
  exec postgres "${options[@]}"
}

# at_least NAME SETTING: the configured value, or that of the primary as last seen where it is larger: a replica that has
# less does not start.
at_least() {
  local own seen
  own=$(sed -n "s/^$1 *= *//p" "$CONFIG/postgresql.conf")
  seen=$(setting "$2")
  echo $((own > seen ? own : seen))
}

promote() {
  until pg_isready --quiet --host 127.0.0.1; do sleep 1; done
  pg_ctl promote -D "$PGDATA"
}

case ${1-} in
prepare | start) "$1" ;;
*) fail "usage: postgres.sh prepare|start" ;;
esac
