-- What is done with jobs: enqueue (by every service, inside its own transaction), work (by workers), cancel, partitions.
SET LOCAL ROLE jobs_owner;

-- The id of the new job, or of the one that already holds the unique key. An enqueue with a unique key waits for another open
-- transaction that holds the same key. A trace that is no traceparent is dropped: it must not stop a job.
CREATE FUNCTION jobs.enqueue(
    p_company uuid, p_queue text, p_kind text, p_args jsonb, p_priority smallint DEFAULT 1, p_run_at timestamptz DEFAULT NULL,
    p_unique_key text DEFAULT NULL, p_trace text DEFAULT NULL, p_max_attempts smallint DEFAULT 4)
RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_id     uuid := uuidv7();
    v_trace  text := CASE WHEN p_trace ~ '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$' THEN p_trace END;
    v_holder uuid;
BEGIN
    WHILE p_unique_key IS NOT NULL LOOP
        INSERT INTO jobs.unique_keys AS u (kind, key, job_id, company_id) VALUES (p_kind, p_unique_key, v_id, p_company)
        ON CONFLICT ON CONSTRAINT unique_keys_pkey DO NOTHING;
        EXIT WHEN FOUND;
        SELECT u.job_id INTO v_holder FROM jobs.unique_keys u WHERE u.kind = p_kind AND u.key = p_unique_key;
        IF FOUND THEN
            RETURN v_holder;
        END IF;
        -- The holder ended between the two statements: the key is free, take it.
    END LOOP;
    IF p_run_at IS NULL OR p_run_at <= clock_timestamp() THEN
        INSERT INTO jobs.ready (id, company_id, queue, priority, kind, args, max_attempts, unique_key, trace)
        VALUES (v_id, p_company, p_queue, p_priority, p_kind, p_args, p_max_attempts, p_unique_key, v_trace);
    ELSE
        INSERT INTO jobs.scheduled (id, company_id, queue, priority, pos, kind, args, attempt, max_attempts, unique_key, trace, created_at, run_at)
        VALUES (v_id, p_company, p_queue, p_priority, 0, p_kind, p_args, 0, p_max_attempts, p_unique_key, v_trace, now(), p_run_at);
    END IF;
    RETURN v_id;
END $$;
COMMENT ON FUNCTION jobs.enqueue IS 'Adds a job to the calling transaction; the id of the job, or of the one that holds the unique key.';

-- One job per element of p_args, all else alike.
CREATE FUNCTION jobs.enqueue_many(
    p_company uuid, p_queue text, p_kind text, p_args jsonb[], p_priority smallint DEFAULT 1, p_trace text DEFAULT NULL,
    p_max_attempts smallint DEFAULT 4)
RETURNS SETOF uuid LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO jobs.ready (id, company_id, queue, priority, kind, args, max_attempts, trace)
    SELECT uuidv7(), p_company, p_queue, p_priority, p_kind, a, p_max_attempts,
           CASE WHEN p_trace ~ '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$' THEN p_trace END
      FROM unnest(p_args) AS a
    RETURNING id
$$;
COMMENT ON FUNCTION jobs.enqueue_many IS 'Adds one job per element of p_args to the calling transaction.';

-- Up to p_limit due jobs of a queue. p_from is the caller's low-water mark in microseconds: older index entries, dead ones among them,
-- are not visited. A worker passes "pos of the oldest job of my last claim - 5 s"; a transaction that commits later than that is found by
-- a sweep from "now - longest write transaction" each second and from 0 at start-up and each minute. Without the sweeps such jobs
-- stay unseen. The lane whose oldest job has waited longest beyond its allowance goes first (normal 60 s, low 10 min behind high).
CREATE FUNCTION jobs.claim(p_queue text, p_limit integer, p_token uuid, p_lease interval, p_from bigint)
RETURNS TABLE (id uuid, company_id uuid, kind text, args jsonb, attempt smallint, max_attempts smallint, trace text, pos bigint, created_at timestamptz)
LANGUAGE plpgsql AS $$
DECLARE
    v_lane   smallint;
    v_got    integer;
    v_max    integer;
    v_paused boolean;
BEGIN
    SELECT q.paused, q.max_running INTO v_paused, v_max FROM jobs.queues q WHERE q.name = p_queue;
    IF v_paused THEN
        RETURN;
    END IF;
    IF v_max IS NOT NULL THEN
        -- One claimer at a time counts what runs; the others come again with their next poll.
        IF NOT pg_try_advisory_xact_lock(hashtextextended(p_queue, 7)) THEN
            RETURN;
        END IF;
        p_limit := least(p_limit, v_max - (SELECT count(*) FROM jobs.running r WHERE r.queue = p_queue));
    END IF;
    FOR v_lane IN
        SELECT lane.priority
          FROM (VALUES (0::smallint, 0::bigint), (1::smallint, 60000000), (2::smallint, 600000000)) AS lane (priority, allowance),
               LATERAL (SELECT r.pos FROM jobs.ready r
                         WHERE r.queue = p_queue AND r.priority = lane.priority AND r.pos >= p_from ORDER BY r.pos LIMIT 1) AS head
         ORDER BY head.pos + lane.allowance
    LOOP
        EXIT WHEN p_limit <= 0;
        RETURN QUERY
        WITH pick AS MATERIALIZED (
            SELECT r.ctid FROM jobs.ready r
             WHERE r.queue = p_queue AND r.priority = v_lane AND r.pos >= p_from
             ORDER BY r.pos LIMIT p_limit FOR UPDATE SKIP LOCKED
        ), gone AS (
            DELETE FROM jobs.ready r WHERE r.ctid = ANY (ARRAY(SELECT pick.ctid FROM pick)) RETURNING r.*
        ), taken AS (
            INSERT INTO jobs.running AS t (id, company_id, queue, priority, pos, kind, args, attempt, max_attempts, unique_key, trace, error, created_at, token, lease_until)
            SELECT g.id, g.company_id, g.queue, g.priority, g.pos, g.kind, g.args, g.attempt + 1, g.max_attempts, g.unique_key, g.trace, g.error, g.created_at, p_token, clock_timestamp() + p_lease
              FROM gone g
            RETURNING t.id, t.company_id, t.kind, t.args, t.attempt, t.max_attempts, t.trace, t.pos, t.created_at
        )
        SELECT t.id, t.company_id, t.kind, t.args, t.attempt, t.max_attempts, t.trace, t.pos, t.created_at FROM taken t;
        GET DIAGNOSTICS v_got = ROW_COUNT;
        p_limit := p_limit - v_got;
    END LOOP;
END $$;
COMMENT ON FUNCTION jobs.claim IS 'Moves due jobs to running, under a token and a lease.';

-- Moves finished jobs to history; answers how many were really ours. A stale token completes nothing.
CREATE FUNCTION jobs.complete(p_ids uuid[], p_token uuid) RETURNS bigint LANGUAGE sql AS $$
    WITH gone AS (DELETE FROM jobs.running WHERE id = ANY (p_ids) AND token = p_token RETURNING *),
         freed AS (DELETE FROM jobs.unique_keys u USING gone g WHERE u.kind = g.kind AND u.key = g.unique_key AND u.job_id = g.id),
         kept AS (
            INSERT INTO jobs.history (id, company_id, queue, priority, kind, args, attempt, max_attempts, trace, outcome, created_at)
            SELECT id, company_id, queue, priority, kind, args, attempt, max_attempts, trace, 'done', created_at FROM gone RETURNING 1)
    SELECT count(*) FROM kept
$$;
COMMENT ON FUNCTION jobs.complete IS 'Moves jobs of this claim to history; how many there were.';

-- One failed attempt: again after p_delay, by default after 2, 4, 8 ... s with ±50 % jitter; after the last one, or with p_final, dead.
-- Answers retry, dead, or stale (no job of this claim).
CREATE FUNCTION jobs.fail(p_id uuid, p_token uuid, p_error text, p_delay interval DEFAULT NULL, p_final boolean DEFAULT false)
RETURNS text LANGUAGE sql AS $$
    WITH gone AS (DELETE FROM jobs.running WHERE id = p_id AND token = p_token RETURNING *),
         again AS (
            INSERT INTO jobs.scheduled (id, company_id, queue, priority, pos, kind, args, attempt, max_attempts, unique_key, trace, error, created_at, run_at)
            SELECT id, company_id, queue, priority, pos, kind, args, attempt, max_attempts, unique_key, trace, left(p_error, 2000), created_at,
                   clock_timestamp() + coalesce(p_delay, make_interval(secs => 2 ^ least(attempt, 12) * (0.5 + random())))
              FROM gone WHERE attempt < max_attempts AND NOT p_final RETURNING 1),
         buried AS (
            INSERT INTO jobs.dead (id, company_id, queue, priority, pos, kind, args, attempt, max_attempts, unique_key, trace, error, created_at)
            SELECT id, company_id, queue, priority, pos, kind, args, attempt, max_attempts, unique_key, trace, left(p_error, 2000), created_at
              FROM gone WHERE attempt >= max_attempts OR p_final RETURNING id, kind, unique_key),
         freed AS (DELETE FROM jobs.unique_keys u USING buried b WHERE u.kind = b.kind AND u.key = b.unique_key AND u.job_id = b.id)
    SELECT CASE WHEN EXISTS (SELECT FROM again) THEN 'retry' WHEN EXISTS (SELECT FROM buried) THEN 'dead' ELSE 'stale' END
$$;
COMMENT ON FUNCTION jobs.fail IS 'Records a failed attempt: retry, dead or stale.';

-- "Not now": the job waits without having spent the attempt.
CREATE FUNCTION jobs.snooze(p_id uuid, p_token uuid, p_delay interval) RETURNS boolean LANGUAGE sql AS $$
    WITH gone AS (DELETE FROM jobs.running WHERE id = p_id AND token = p_token RETURNING *),
         put AS (
            INSERT INTO jobs.scheduled (id, company_id, queue, priority, pos, kind, args, attempt, max_attempts, unique_key, trace, error, created_at, run_at)
            SELECT id, company_id, queue, priority, pos, kind, args, attempt - 1, max_attempts, unique_key, trace, error, created_at, clock_timestamp() + p_delay
              FROM gone RETURNING 1)
    SELECT EXISTS (SELECT FROM put)
$$;
COMMENT ON FUNCTION jobs.snooze IS 'Puts a running job off without spending its attempt; whether it was of this claim.';

-- Due retries and schedules become ready, with a new pos: below the workers' low-water marks nobody would see them.
CREATE FUNCTION jobs.promote(p_limit integer) RETURNS bigint LANGUAGE sql AS $$
    WITH due AS MATERIALIZED (
            SELECT id FROM jobs.scheduled WHERE run_at <= clock_timestamp() ORDER BY run_at LIMIT p_limit FOR UPDATE SKIP LOCKED),
         gone AS (DELETE FROM jobs.scheduled s USING due WHERE s.id = due.id RETURNING s.*),
         put AS (
            INSERT INTO jobs.ready (id, company_id, queue, priority, kind, args, attempt, max_attempts, unique_key, trace, error, created_at)
            SELECT id, company_id, queue, priority, kind, args, attempt, max_attempts, unique_key, trace, error, created_at FROM gone RETURNING 1)
    SELECT count(*) FROM put
$$;
COMMENT ON FUNCTION jobs.promote IS 'Makes due jobs ready; how many.';

-- Jobs whose worker went silent: back to ready (the attempt is spent), or dead. Every few seconds, from any pod.
CREATE FUNCTION jobs.rescue(p_limit integer) RETURNS bigint LANGUAGE sql AS $$
    WITH lost AS MATERIALIZED (SELECT id FROM jobs.running WHERE lease_until < clock_timestamp() LIMIT p_limit FOR UPDATE SKIP LOCKED),
         gone AS (DELETE FROM jobs.running r USING lost WHERE r.id = lost.id RETURNING r.*),
         put AS (
            INSERT INTO jobs.ready (id, company_id, queue, priority, kind, args, attempt, max_attempts, unique_key, trace, error, created_at)
            SELECT id, company_id, queue, priority, kind, args, attempt, max_attempts, unique_key, trace, 'the worker was lost', created_at
              FROM gone WHERE attempt < max_attempts RETURNING 1),
         buried AS (
            INSERT INTO jobs.dead (id, company_id, queue, priority, pos, kind, args, attempt, max_attempts, unique_key, trace, error, created_at)
            SELECT id, company_id, queue, priority, pos, kind, args, attempt, max_attempts, unique_key, trace, 'the worker was lost', created_at
              FROM gone WHERE attempt >= max_attempts RETURNING id, kind, unique_key),
         freed AS (DELETE FROM jobs.unique_keys u USING buried b WHERE u.kind = b.kind AND u.key = b.unique_key AND u.job_id = b.id)
    SELECT (SELECT count(*) FROM put) + (SELECT count(*) FROM buried)
$$;
COMMENT ON FUNCTION jobs.rescue IS 'Takes jobs from workers whose lease has run out; how many.';

-- Answers the ids that are still ours.
CREATE FUNCTION jobs.extend(p_ids uuid[], p_token uuid, p_lease interval) RETURNS SETOF uuid LANGUAGE sql AS $$
    UPDATE jobs.running SET lease_until = clock_timestamp() + p_lease WHERE id = ANY (p_ids) AND token = p_token RETURNING id
$$;
COMMENT ON FUNCTION jobs.extend IS 'Extends the lease of jobs of this claim; the ids that still are.';

-- A worker that must stop gives its jobs back; their attempt is not spent.
CREATE FUNCTION jobs.hand_back(p_ids uuid[], p_token uuid) RETURNS bigint LANGUAGE sql AS $$
    WITH gone AS (DELETE FROM jobs.running WHERE id = ANY (p_ids) AND token = p_token RETURNING *),
         put AS (
            INSERT INTO jobs.ready (id, company_id, queue, priority, kind, args, attempt, max_attempts, unique_key, trace, error, created_at)
            SELECT id, company_id, queue, priority, kind, args, attempt - 1, max_attempts, unique_key, trace, error, created_at FROM gone RETURNING 1)
    SELECT count(*) FROM put
$$;
COMMENT ON FUNCTION jobs.hand_back IS 'Makes jobs of this claim ready again, their attempt not spent; how many.';

-- Answers cancelled (also when it was already), not_cancellable (runs, or has ended) or not_found. Row-level security decides whose jobs
-- there are. A job may move from one table to another between two looks, so an empty round is repeated.
CREATE FUNCTION jobs.cancel(p_id uuid) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_job     jobs.ready;
    v_outcome text;
BEGIN
    FOR i IN 1..3 LOOP
        DELETE FROM jobs.ready r WHERE r.id = p_id RETURNING r.* INTO v_job;
        IF NOT FOUND THEN
            DELETE FROM jobs.scheduled s WHERE s.id = p_id
            RETURNING s.id, s.company_id, s.queue, s.priority, s.pos, s.kind, s.args, s.attempt, s.max_attempts, s.unique_key, s.trace, s.error, s.created_at
            INTO v_job;
        END IF;
        IF FOUND THEN
            INSERT INTO jobs.history (id, company_id, queue, priority, kind, args, attempt, max_attempts, trace, error, outcome, created_at)
            VALUES (v_job.id, v_job.company_id, v_job.queue, v_job.priority, v_job.kind, v_job.args, v_job.attempt, v_job.max_attempts,
                    v_job.trace, v_job.error, 'cancelled', v_job.created_at);
            DELETE FROM jobs.unique_keys u WHERE u.kind = v_job.kind AND u.key = v_job.unique_key AND u.job_id = v_job.id;
            RETURN 'cancelled';
        END IF;
        SELECT h.outcome INTO v_outcome FROM jobs.history h WHERE h.id = p_id;
        IF FOUND THEN
            RETURN CASE v_outcome WHEN 'cancelled' THEN 'cancelled' ELSE 'not_cancellable' END;
        END IF;
        IF EXISTS (SELECT FROM jobs.running r WHERE r.id = p_id) OR EXISTS (SELECT FROM jobs.dead d WHERE d.id = p_id) THEN
            RETURN 'not_cancellable';
        END IF;
    END LOOP;
    RETURN 'not_found';
END $$;
COMMENT ON FUNCTION jobs.cancel IS 'Calls a waiting job off: cancelled, not_cancellable or not_found.';

-- Days of history: today and the seven ahead are made, days older than eight are dropped. Dropping takes ACCESS EXCLUSIVE on the parent, so it
-- waits briefly, comes last, and is left to the next call where somebody is in the way. Answers how many were made.
CREATE FUNCTION jobs.ensure_partitions() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '2s' AS $$
DECLARE
    v_day  date;
    v_made integer := 0;
    v_old  name;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('jobs.ensure_partitions', 0));
    FOR v_day IN SELECT current_date + d FROM generate_series(0, 7) AS d LOOP
        IF sipup.add_partition('jobs.history', to_char(v_day, 'YYYY_MM_DD'), 'finished_at', v_day::timestamptz::text, (v_day + 1)::timestamptz::text) THEN
            v_made := v_made + 1;
        END IF;
    END LOOP;
    PERFORM set_config('lock_timeout', '200ms', true);
    FOR v_old IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
         WHERE i.inhparent = 'jobs.history'::regclass AND c.relname < 'history_' || to_char(current_date - 8, 'YYYY_MM_DD')
         ORDER BY c.relname
    LOOP
        BEGIN
            EXECUTE format('DROP TABLE jobs.%I', v_old);
        EXCEPTION WHEN lock_not_available THEN EXIT;
        END;
    END LOOP;
    RETURN v_made;
END $$;
COMMENT ON FUNCTION jobs.ensure_partitions IS 'Makes the days of history ahead and drops those older than eight; how many were made.';

SELECT jobs.ensure_partitions();

RESET ROLE;
