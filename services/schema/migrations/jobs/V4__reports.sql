-- Reports: asked for by companies, made by jobs of kind report, and where no other storage is set, kept here.
SET LOCAL ROLE jobs_owner;

-- Where an unfinished report stands is not written here: its job says it, so that the two can't disagree.
CREATE TABLE jobs.reports (
    id                 uuid        NOT NULL,
    company_id         uuid        NOT NULL,
    kind               text        COLLATE "C" NOT NULL,
    format             text        COLLATE "C" NOT NULL,
    subject_company_id uuid,
    period_start       timestamptz NOT NULL,
    period_end         timestamptz NOT NULL,
    job_id             uuid        NOT NULL,
    object_id          uuid,
    rows               bigint,
    bytes              bigint,
    sha256             bytea,
    finished_at        timestamptz,
    expires_at         timestamptz NOT NULL,
    created_at         timestamptz NOT NULL DEFAULT now(),
    created_by         uuid        NOT NULL,
    CONSTRAINT reports_pkey PRIMARY KEY (id),
    CONSTRAINT reports_kind_known CHECK (kind IN ('orders')),
    CONSTRAINT reports_format_known CHECK (format IN ('csv')),
    CONSTRAINT reports_period_forward CHECK (period_end > period_start),
    CONSTRAINT reports_finished_whole CHECK (num_nonnulls(rows, bytes, sha256, finished_at) IN (0, 4) AND (finished_at IS NULL OR object_id IS NOT NULL)),
    CONSTRAINT reports_sizes_not_negative CHECK (rows >= 0 AND bytes >= 0),
    CONSTRAINT reports_sha256_whole CHECK (octet_length(sha256) = 32)
);
COMMENT ON TABLE jobs.reports IS 'Reports that companies asked for; removed seven days after they were made or given up.';
COMMENT ON COLUMN jobs.reports.id IS 'UUIDv7, given by the service.';
COMMENT ON COLUMN jobs.reports.company_id IS 'The company whose user asked.';
COMMENT ON COLUMN jobs.reports.kind IS 'What it tells: orders.';
COMMENT ON COLUMN jobs.reports.format IS 'How it is written: csv.';
COMMENT ON COLUMN jobs.reports.subject_company_id IS 'The company that it is about; NULL: all of them.';
COMMENT ON COLUMN jobs.reports.period_start IS 'The beginning of the period that it is about.';
COMMENT ON COLUMN jobs.reports.period_end IS 'The end of that period, itself not in it.';
COMMENT ON COLUMN jobs.reports.job_id IS 'The job that makes it.';
COMMENT ON COLUMN jobs.reports.object_id IS 'What the latest attempt stores, or has stored, it as; NULL: there was none. An attempt that finds another one here was overtaken.';
COMMENT ON COLUMN jobs.reports.rows IS 'Rows of the file, the header not counted; NULL until it is finished.';
COMMENT ON COLUMN jobs.reports.bytes IS 'Size of the file; NULL until it is finished.';
COMMENT ON COLUMN jobs.reports.sha256 IS 'SHA-256 of the file; NULL until it is finished.';
COMMENT ON COLUMN jobs.reports.finished_at IS 'When it was ready; NULL: it is not.';
COMMENT ON COLUMN jobs.reports.expires_at IS 'When it can''t be fetched any more and may be removed.';
COMMENT ON COLUMN jobs.reports.created_at IS 'When it was asked for.';
COMMENT ON COLUMN jobs.reports.created_by IS 'The user who asked.';
CREATE INDEX reports_company ON jobs.reports (company_id, id DESC);
CREATE INDEX reports_expires ON jobs.reports (expires_at);
-- Few at any time: a company's limit is counted in it.
CREATE INDEX reports_unfinished ON jobs.reports (company_id) WHERE finished_at IS NULL;

-- Belongs to no company by itself: nobody but the service itself reads it, once the report's own row has let the caller in.
CREATE TABLE jobs.report_chunks (
    report_id  uuid        NOT NULL,
    object_id  uuid        NOT NULL,
    n          integer     NOT NULL,
    data       bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT report_chunks_pkey PRIMARY KEY (report_id, object_id, n),
    CONSTRAINT report_chunks_report_fk FOREIGN KEY (report_id) REFERENCES jobs.reports ON DELETE CASCADE,
    CONSTRAINT report_chunks_n_not_negative CHECK (n >= 0),
    CONSTRAINT report_chunks_data_bounded CHECK (octet_length(data) BETWEEN 1 AND 1048576)
);
COMMENT ON TABLE jobs.report_chunks IS 'Files of reports in pieces, where the database is their storage.';
COMMENT ON COLUMN jobs.report_chunks.report_id IS 'The report. With it goes whatever an attempt that was lost has left.';
COMMENT ON COLUMN jobs.report_chunks.object_id IS 'The attempt''s file.';
COMMENT ON COLUMN jobs.report_chunks.n IS 'Which piece, from 0.';
COMMENT ON COLUMN jobs.report_chunks.data IS 'The bytes.';
COMMENT ON COLUMN jobs.report_chunks.created_at IS 'When the piece was stored.';

CREATE TABLE jobs.idempotency (
    company_id uuid        NOT NULL,
    method     text        COLLATE "C" NOT NULL,
    key        text        COLLATE "C" NOT NULL,
    body_hash  bytea       NOT NULL,
    response   bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT idempotency_pkey PRIMARY KEY (company_id, method, key),
    CONSTRAINT idempotency_key_bounded CHECK (octet_length(key) BETWEEN 1 AND 128)
);
COMMENT ON TABLE jobs.idempotency IS 'Requests already carried out, with their answers; kept 30 days.';
COMMENT ON COLUMN jobs.idempotency.company_id IS 'The company of the caller.';
COMMENT ON COLUMN jobs.idempotency.method IS 'Name of the rpc.';
COMMENT ON COLUMN jobs.idempotency.key IS 'The caller''s key of the request.';
COMMENT ON COLUMN jobs.idempotency.body_hash IS 'Hash of the request without its key; another body under the same key is refused.';
COMMENT ON COLUMN jobs.idempotency.response IS 'The encoded answer; NULL only inside the transaction that carries the request out.';
COMMENT ON COLUMN jobs.idempotency.created_at IS 'When the request was carried out.';
CREATE INDEX idempotency_created ON jobs.idempotency USING brin (created_at) WITH (pages_per_range = 32, autosummarize = on);

-- Deletes up to p_limit rows older than 30 days; call it until it answers 0.
CREATE FUNCTION jobs.delete_old_idempotency(p_limit integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH old AS MATERIALIZED (
        SELECT i.company_id, i.method, i.key FROM jobs.idempotency i
         WHERE i.created_at < now() - interval '30 days' LIMIT p_limit FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM jobs.idempotency i USING old
         WHERE i.company_id = old.company_id AND i.method = old.method AND i.key = old.key RETURNING 1
    )
    SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION jobs.delete_old_idempotency IS 'Deletes up to p_limit rows older than 30 days; how many.';

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['reports', 'idempotency'] LOOP
        EXECUTE format('ALTER TABLE jobs.%I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('ALTER TABLE jobs.%I FORCE ROW LEVEL SECURITY', v_table);
        EXECUTE format('CREATE POLICY own_company ON jobs.%I TO svc_jobs
            USING (company_id = (SELECT current_setting(''sipup.company_id'')::uuid))
            WITH CHECK (company_id = (SELECT current_setting(''sipup.company_id'')::uuid))', v_table);
        EXECUTE format('CREATE POLICY all_companies ON jobs.%I TO svc_jobs_seller, svc_jobs_system, jobs_owner
            USING (true) WITH CHECK (true)', v_table);
    END LOOP;
END $$;

-- Every report with the state that follows from its own row and its job's, under the rights and policies of whoever asks. A job that is
-- done without having finished its report, or that nobody can find any more, has given it up. A report that is finished looks no job up.
CREATE VIEW jobs.all_reports WITH (security_invoker = true) AS
    SELECT r.id, r.company_id, r.kind, r.format, r.subject_company_id, r.period_start, r.period_end, r.job_id, r.object_id,
           coalesce(r.rows, 0) AS rows, coalesce(r.bytes, 0) AS bytes, r.sha256, r.created_at, r.created_by, r.expires_at,
           CASE WHEN r.finished_at IS NOT NULL THEN CASE WHEN r.expires_at > now() THEN 'ready' ELSE 'expired' END
                WHEN j.state IN ('scheduled', 'ready') THEN 'waiting'
                WHEN j.state = 'running' THEN 'running'
                ELSE 'failed' END AS state,
           CASE WHEN r.finished_at IS NOT NULL OR j.state IN ('scheduled', 'ready', 'running') THEN NULL
                WHEN j.state = 'cancelled' THEN 'cancelled'
                ELSE coalesce(j.error, 'the job that was to make it is gone') END AS error,
           coalesce(r.finished_at, j.finished_at) AS finished_at
      FROM jobs.reports r
      LEFT JOIN LATERAL (SELECT a.state, a.error, a.finished_at FROM jobs.all_jobs a WHERE a.id = r.job_id AND r.finished_at IS NULL) AS j ON true;
COMMENT ON VIEW jobs.all_reports IS 'Every report that the caller may see, and where it stands.';
COMMENT ON COLUMN jobs.all_reports.id IS 'UUIDv7 of the report.';
COMMENT ON COLUMN jobs.all_reports.company_id IS 'The company whose user asked.';
COMMENT ON COLUMN jobs.all_reports.kind IS 'What it tells.';
COMMENT ON COLUMN jobs.all_reports.format IS 'How it is written.';
COMMENT ON COLUMN jobs.all_reports.subject_company_id IS 'The company that it is about; NULL: all of them.';
COMMENT ON COLUMN jobs.all_reports.period_start IS 'The beginning of the period that it is about.';
COMMENT ON COLUMN jobs.all_reports.period_end IS 'The end of that period, itself not in it.';
COMMENT ON COLUMN jobs.all_reports.job_id IS 'The job that makes it.';
COMMENT ON COLUMN jobs.all_reports.object_id IS 'What the latest attempt stores it as.';
COMMENT ON COLUMN jobs.all_reports.rows IS 'Rows of the file; 0 until it is finished.';
COMMENT ON COLUMN jobs.all_reports.bytes IS 'Size of the file; 0 until it is finished.';
COMMENT ON COLUMN jobs.all_reports.sha256 IS 'SHA-256 of the file; NULL until it is finished.';
COMMENT ON COLUMN jobs.all_reports.created_at IS 'When it was asked for.';
COMMENT ON COLUMN jobs.all_reports.created_by IS 'The user who asked.';
COMMENT ON COLUMN jobs.all_reports.expires_at IS 'When it can''t be fetched any more and may be removed.';
COMMENT ON COLUMN jobs.all_reports.state IS 'waiting, running, ready, failed or expired.';
COMMENT ON COLUMN jobs.all_reports.error IS 'Why it failed; NULL: it has not.';
COMMENT ON COLUMN jobs.all_reports.finished_at IS 'When it was ready, or given up.';

-- A report reads as fast as it can, from the primary: a few at once leave room for orders.
INSERT INTO jobs.queues (name, max_running) VALUES ('report', 4);

GRANT SELECT ON jobs.all_reports TO svc_jobs, svc_jobs_seller, svc_jobs_system;
GRANT SELECT, INSERT ON jobs.reports TO svc_jobs, svc_jobs_seller, svc_jobs_system;
GRANT UPDATE (object_id, rows, bytes, sha256, finished_at, expires_at), DELETE ON jobs.reports TO svc_jobs_system;
GRANT SELECT, INSERT, DELETE ON jobs.report_chunks TO svc_jobs_system;
GRANT SELECT, INSERT, UPDATE (response) ON jobs.idempotency TO svc_jobs, svc_jobs_seller, svc_jobs_system;
GRANT EXECUTE ON FUNCTION jobs.delete_old_idempotency TO svc_jobs_system;

RESET ROLE;
