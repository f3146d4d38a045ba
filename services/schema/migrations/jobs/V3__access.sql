-- Who sees and does what in the queue. A company sees its own jobs; workers, the scheduler and the seller's staff see all.
SET LOCAL ROLE jobs_owner;

-- The setting is read once per statement, as a scalar subquery. Unset, it raises instead of showing nothing.
DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['ready', 'running', 'scheduled', 'dead', 'history', 'unique_keys'] LOOP
        EXECUTE format('ALTER TABLE jobs.%I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('ALTER TABLE jobs.%I FORCE ROW LEVEL SECURITY', v_table);
        EXECUTE format('CREATE POLICY own_company ON jobs.%I TO svc_jobs
            USING (company_id = (SELECT current_setting(''sipup.company_id'')::uuid))
            WITH CHECK (company_id = (SELECT current_setting(''sipup.company_id'')::uuid))', v_table);
        EXECUTE format('CREATE POLICY all_companies ON jobs.%I TO svc_jobs_seller, svc_jobs_system, jobs_owner
            USING (true) WITH CHECK (true)', v_table);
    END LOOP;
END $$;

-- Every job once, whatever its table, under the rights and policies of whoever asks. Pages go by id DESC.
CREATE VIEW jobs.all_jobs WITH (security_invoker = true) AS
    SELECT id, company_id, kind, queue, priority, 'scheduled' AS state, attempt, max_attempts, error, created_at, run_at, NULL::timestamptz AS finished_at
      FROM jobs.scheduled
    UNION ALL
    SELECT id, company_id, kind, queue, priority, 'ready', attempt, max_attempts, error, created_at, NULL, NULL
      FROM jobs.ready
    UNION ALL
    SELECT id, company_id, kind, queue, priority, 'running', attempt, max_attempts, error, created_at, NULL, NULL
      FROM jobs.running
    UNION ALL
    SELECT id, company_id, kind, queue, priority, 'dead', attempt, max_attempts, error, created_at, NULL, died_at
      FROM jobs.dead
    UNION ALL
    SELECT id, company_id, kind, queue, priority, outcome, attempt, max_attempts, error, created_at, NULL, finished_at
      FROM jobs.history;
COMMENT ON VIEW jobs.all_jobs IS 'Every job that the caller may see, in whatever state.';
COMMENT ON COLUMN jobs.all_jobs.id IS 'UUIDv7 of the job.';
COMMENT ON COLUMN jobs.all_jobs.company_id IS 'The company that the job is for; NULL: the system.';
COMMENT ON COLUMN jobs.all_jobs.kind IS 'What is to be done.';
COMMENT ON COLUMN jobs.all_jobs.queue IS 'The queue that it stands in.';
COMMENT ON COLUMN jobs.all_jobs.priority IS '0 high, 1 normal, 2 low.';
COMMENT ON COLUMN jobs.all_jobs.state IS 'scheduled, ready, running, done, dead or cancelled.';
COMMENT ON COLUMN jobs.all_jobs.attempt IS 'How often the job was begun.';
COMMENT ON COLUMN jobs.all_jobs.max_attempts IS 'How often it may be begun.';
COMMENT ON COLUMN jobs.all_jobs.error IS 'Why the last attempt failed; NULL: none has.';
COMMENT ON COLUMN jobs.all_jobs.created_at IS 'When the job was enqueued.';
COMMENT ON COLUMN jobs.all_jobs.run_at IS 'When a scheduled job becomes due.';
COMMENT ON COLUMN jobs.all_jobs.finished_at IS 'When a job ended or was given up.';

GRANT SELECT ON jobs.all_jobs, jobs.ready, jobs.running, jobs.scheduled, jobs.dead, jobs.history, jobs.unique_keys, jobs.queues
    TO svc_jobs, svc_jobs_seller, svc_jobs_system;
-- Cancelling.
GRANT DELETE ON jobs.ready, jobs.scheduled, jobs.unique_keys TO svc_jobs, svc_jobs_seller, svc_jobs_system;
GRANT INSERT ON jobs.history TO svc_jobs, svc_jobs_seller, svc_jobs_system;
GRANT EXECUTE ON FUNCTION jobs.cancel TO svc_jobs, svc_jobs_seller, svc_jobs_system;
-- Working. UPDATE on ready and scheduled is what FOR UPDATE asks for; no statement updates them.
GRANT INSERT, UPDATE ON jobs.ready, jobs.scheduled TO svc_jobs_system;
GRANT INSERT, UPDATE, DELETE ON jobs.running TO svc_jobs_system;
GRANT INSERT, DELETE ON jobs.dead TO svc_jobs_system;
GRANT INSERT, UPDATE, DELETE ON jobs.queues TO svc_jobs_system;
GRANT EXECUTE ON FUNCTION jobs.claim, jobs.complete, jobs.fail, jobs.snooze, jobs.promote, jobs.rescue, jobs.extend, jobs.hand_back, jobs.ensure_partitions
    TO svc_jobs_system;
GRANT EXECUTE ON FUNCTION jobs.enqueue, jobs.enqueue_many TO
    svc_jobs, svc_jobs_seller, svc_jobs_system, svc_catalog, svc_catalog_seller, svc_catalog_system,
    svc_auth, svc_auth_seller, svc_auth_system, svc_orders, svc_orders_seller, svc_orders_system;

RESET ROLE;
