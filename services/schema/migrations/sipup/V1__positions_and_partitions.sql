-- Functions that every service uses: positions in the write-ahead log, bounds of ids, partitions, and which version the schemas have.
SET LOCAL ROLE sipup_owner;

COMMENT ON SCHEMA sipup IS 'Helpers shared by all services. No business data.';

CREATE TABLE sipup.schema_versions (
    schema_name     text        NOT NULL,
    version         integer     NOT NULL,
    compatible_from integer     NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT schema_versions_pkey PRIMARY KEY (schema_name),
    CONSTRAINT schema_versions_compatible_with_itself CHECK (compatible_from <= version)
);
COMMENT ON TABLE sipup.schema_versions IS 'Which migrations a schema has, and the oldest program it still serves. Written by migrate, read by readiness checks.';
COMMENT ON COLUMN sipup.schema_versions.schema_name IS 'Name of the schema.';
COMMENT ON COLUMN sipup.schema_versions.version IS 'Number of the newest migration applied.';
COMMENT ON COLUMN sipup.schema_versions.compatible_from IS 'A program built for this migration, or for a later one, may run on the schema.';
COMMENT ON COLUMN sipup.schema_versions.created_at IS 'When the schema was first migrated.';
COMMENT ON COLUMN sipup.schema_versions.updated_at IS 'When the version last changed.';

-- The smallest UUID at or above every UUIDv7 made at p_at: 48 bits of milliseconds, the rest zero. A bound, not itself a UUIDv7.
CREATE FUNCTION sipup.uuidv7_floor(p_at timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT (lpad(to_hex(floor(extract(epoch FROM p_at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;
COMMENT ON FUNCTION sipup.uuidv7_floor IS 'The smallest UUID at or above every UUIDv7 made at this time.';

-- Where the log ends for a reader who must see all that is committed by now. On the primary only; in recovery it raises 55000.
-- Ask AFTER the COMMIT, in the same pipeline: a position read inside the transaction lies before its commit record. The flush
-- position, not the insert position: after a segment switch the latter points past a page header that no replica ever reaches on an
-- idle system. Needs synchronous_commit = on. Declared STABLE so that it is inlined into the calling query; it never reads a table.
CREATE FUNCTION sipup.commit_position() RETURNS TABLE (timeline integer, lsn pg_lsn)
LANGUAGE sql STABLE ROWS 1 AS $$
    SELECT ('x' || left(pg_catalog.pg_walfile_name(p.lsn), 8))::bit(32)::integer, p.lsn
      FROM (SELECT pg_catalog.pg_current_wal_flush_lsn() AS lsn) AS p
$$;
COMMENT ON FUNCTION sipup.commit_position IS 'Timeline and flushed position of the primary, read behind a COMMIT.';

-- How far this server is, primary or replica. A replica's timeline comes from its receiver (for that its statistics must be readable,
-- hence SECURITY DEFINER), without a receiver from the last checkpoint it replayed. lag: zero on the primary and on a replica that
-- has replayed all it received; NULL where nothing was replayed since its start, which a caller must read as "unknown". Without
-- a receiver a replica is behind by the age of its last commit, although it has nothing left to replay.
CREATE FUNCTION sipup.replay_position() RETURNS TABLE (timeline integer, lsn pg_lsn, in_recovery boolean, lag interval)
LANGUAGE plpgsql STABLE ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_receiver integer;
    v_streaming boolean;
BEGIN
    IF NOT pg_is_in_recovery() THEN
        RETURN QUERY SELECT p.timeline, p.lsn, false, interval '0' FROM sipup.commit_position() AS p;
        RETURN;
    END IF;
    SELECT r.received_tli, r.status = 'streaming' INTO v_receiver, v_streaming FROM pg_stat_wal_receiver AS r;
    lsn := pg_last_wal_replay_lsn();
    timeline := coalesce(v_receiver, (SELECT c.timeline_id FROM pg_control_checkpoint() AS c));
    in_recovery := true;
    lag := CASE WHEN v_streaming AND pg_last_wal_receive_lsn() <= lsn THEN interval '0'
                ELSE clock_timestamp() - pg_last_xact_replay_timestamp() END;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION sipup.replay_position IS 'Timeline, position, whether this is a replica, and how far it is behind.';

-- Makes one partition unless it exists. It is made stand-alone with a CHECK that equals its bounds, then attached: SHARE UPDATE
-- EXCLUSIVE on the parent, no scan, nobody waits. CREATE TABLE ... PARTITION OF would take ACCESS EXCLUSIVE. Runs with the rights of the
-- caller, who must own the parent. Nothing is granted on the partition itself: policies hold only through the parent.
CREATE FUNCTION sipup.add_partition(p_parent regclass, p_suffix text, p_key name, p_lower text, p_upper text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    v_schema name;
    v_parent name;
    v_name   name;
BEGIN
    SELECT n.nspname, c.relname INTO STRICT v_schema, v_parent
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = p_parent;
    v_name := v_parent || '_' || p_suffix;
    IF to_regclass(format('%I.%I', v_schema, v_name)) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I.%I (LIKE %I.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS)', v_schema, v_name, v_schema, v_parent);
    EXECUTE format('ALTER TABLE %I.%I ADD CONSTRAINT bounds CHECK (%I >= %L AND %I < %L)', v_schema, v_name, p_key, p_lower, p_key, p_upper);
    EXECUTE format('ALTER TABLE %I.%I ATTACH PARTITION %I.%I FOR VALUES FROM (%L) TO (%L)', v_schema, v_parent, v_schema, v_name, p_lower, p_upper);
    EXECUTE format('ALTER TABLE %I.%I DROP CONSTRAINT bounds', v_schema, v_name);
    RETURN true;
END $$;
COMMENT ON FUNCTION sipup.add_partition IS 'Makes and attaches one range partition unless it exists.';

GRANT SELECT ON sipup.schema_versions TO svc_jobs, svc_catalog, svc_auth, svc_orders;
GRANT EXECUTE ON FUNCTION sipup.add_partition TO jobs_owner, orders_owner;
GRANT EXECUTE ON FUNCTION sipup.commit_position, sipup.replay_position, sipup.uuidv7_floor TO
    jobs_owner, orders_owner,
    svc_jobs, svc_jobs_seller, svc_jobs_system, svc_catalog, svc_catalog_seller, svc_catalog_system,
    svc_auth, svc_auth_seller, svc_auth_system, svc_orders, svc_orders_seller, svc_orders_system;

RESET ROLE;
