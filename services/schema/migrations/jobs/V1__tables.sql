-- The job queue. A job is one row in exactly one of five tables, and moves by DELETE ... INSERT in one statement; nothing that is
-- indexed is ever updated, so that claims stay fast while an old snapshot keeps dead rows alive.
--
--     scheduled ──► ready ──► running ──► history (done)
--         │           │          ├──────► scheduled (failed, tried again)
--         └───────────┴──────────┼──────► history (cancelled; not from running)
--                                └──────► dead
SET LOCAL ROLE jobs_owner;

COMMENT ON SCHEMA jobs IS 'Work that happens after the call that caused it.';

CREATE TABLE jobs.queues (
    name        text        COLLATE "C" NOT NULL,
    paused      boolean     NOT NULL DEFAULT false,
    max_running integer,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    updated_by  uuid,
    CONSTRAINT queues_pkey PRIMARY KEY (name),
    CONSTRAINT queues_max_running_positive CHECK (max_running > 0)
);
COMMENT ON TABLE jobs.queues IS 'Settings of queues. A queue without a row runs without limits.';
COMMENT ON COLUMN jobs.queues.name IS 'Name of the queue.';
COMMENT ON COLUMN jobs.queues.paused IS 'Nothing is claimed while this is true.';
COMMENT ON COLUMN jobs.queues.max_running IS 'How many jobs may run at once over all workers; NULL: no limit. Meant for small numbers.';
COMMENT ON COLUMN jobs.queues.created_at IS 'When the row was made.';
COMMENT ON COLUMN jobs.queues.updated_at IS 'When a setting last changed.';
COMMENT ON COLUMN jobs.queues.updated_by IS 'The user who changed it; NULL: the system.';

CREATE TABLE jobs.ready (
    id           uuid        NOT NULL,
    company_id   uuid,
    queue        text        COLLATE "C" NOT NULL,
    priority     smallint    NOT NULL,
    pos          bigint      NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
    kind         text        COLLATE "C" NOT NULL,
    args         jsonb       NOT NULL,
    attempt      smallint    NOT NULL DEFAULT 0,
    max_attempts smallint    NOT NULL DEFAULT 4,
    unique_key   text        COLLATE "C",
    trace        text,
    error        text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT ready_pkey PRIMARY KEY (id),
    CONSTRAINT ready_priority_known CHECK (priority BETWEEN 0 AND 2),
    CONSTRAINT ready_names_bounded CHECK (octet_length(queue) BETWEEN 1 AND 64 AND octet_length(kind) BETWEEN 1 AND 64),
    CONSTRAINT ready_unique_key_bounded CHECK (octet_length(unique_key) BETWEEN 1 AND 200),
    CONSTRAINT ready_attempts_in_range CHECK (attempt >= 0 AND max_attempts BETWEEN 1 AND 100)
);
COMMENT ON TABLE jobs.ready IS 'Due and unclaimed. Rows are inserted and deleted, never updated.';
COMMENT ON COLUMN jobs.ready.id IS 'UUIDv7 of the job; it keeps it through every table.';
COMMENT ON COLUMN jobs.ready.company_id IS 'The company that the job is for; NULL: the system.';
COMMENT ON COLUMN jobs.ready.queue IS 'The queue that workers claim it from.';
COMMENT ON COLUMN jobs.ready.priority IS '0 high, 1 normal, 2 low.';
COMMENT ON COLUMN jobs.ready.pos IS 'Place in the lane: microseconds since 1970 when the job became ready. A retry gets a new one, for with the old one it would stand below every worker''s low-water mark.';
COMMENT ON COLUMN jobs.ready.kind IS 'What is to be done; chooses the code that runs.';
COMMENT ON COLUMN jobs.ready.args IS 'What to do it with.';
COMMENT ON COLUMN jobs.ready.attempt IS 'How often the job was begun. Spent at the claim, so that a worker that is killed can''t try for ever.';
COMMENT ON COLUMN jobs.ready.max_attempts IS 'How often the job may be begun before it is given up.';
COMMENT ON COLUMN jobs.ready.unique_key IS 'While this job is under way no other of its kind with this key is taken; NULL: no such rule.';
COMMENT ON COLUMN jobs.ready.trace IS 'W3C traceparent of the call that enqueued the job.';
COMMENT ON COLUMN jobs.ready.error IS 'Why the last attempt failed; NULL: none has.';
COMMENT ON COLUMN jobs.ready.created_at IS 'When the job was enqueued.';
CREATE INDEX ready_claim ON jobs.ready (queue, priority, pos);

CREATE TABLE jobs.running (
    LIKE jobs.ready INCLUDING CONSTRAINTS INCLUDING COMMENTS,
    token       uuid        NOT NULL,
    lease_until timestamptz NOT NULL,
    CONSTRAINT running_pkey PRIMARY KEY (id)
) WITH (fillfactor = 80);
COMMENT ON TABLE jobs.running IS 'Claimed by a worker.';
COMMENT ON COLUMN jobs.running.token IS 'Made anew for each claim: with a token per worker, its own expired run would complete its second one.';
COMMENT ON COLUMN jobs.running.lease_until IS 'When the worker counts as lost. Not indexed, so that extending the lease is a HOT update.';

CREATE TABLE jobs.scheduled (
    LIKE jobs.ready INCLUDING CONSTRAINTS INCLUDING COMMENTS,
    run_at timestamptz NOT NULL,
    CONSTRAINT scheduled_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE jobs.scheduled IS 'Not due yet: enqueued for later, or waiting for another attempt.';
COMMENT ON COLUMN jobs.scheduled.run_at IS 'When the job becomes due.';
CREATE INDEX scheduled_due ON jobs.scheduled (run_at);

CREATE TABLE jobs.dead (
    LIKE jobs.ready INCLUDING CONSTRAINTS INCLUDING COMMENTS,
    died_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT dead_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE jobs.dead IS 'Given up after the last attempt; kept until somebody decides.';
COMMENT ON COLUMN jobs.dead.died_at IS 'When the job was given up.';
CREATE INDEX dead_company ON jobs.dead (company_id, id DESC);

-- By the day it finished, because that is what it is dropped by: by id, a job that ran late would land in a dropped partition.
CREATE TABLE jobs.history (
    id           uuid        NOT NULL,
    company_id   uuid,
    queue        text        COLLATE "C" NOT NULL,
    priority     smallint    NOT NULL,
    kind         text        COLLATE "C" NOT NULL,
    args         jsonb       NOT NULL,
    attempt      smallint    NOT NULL,
    max_attempts smallint    NOT NULL,
    trace        text,
    error        text,
    outcome      text        NOT NULL,
    created_at   timestamptz NOT NULL,
    finished_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT history_outcome_known CHECK (outcome IN ('done', 'cancelled'))
) PARTITION BY RANGE (finished_at);
COMMENT ON TABLE jobs.history IS 'Finished jobs of the last eight days, in daily partitions.';
COMMENT ON COLUMN jobs.history.id IS 'UUIDv7 of the job.';
COMMENT ON COLUMN jobs.history.company_id IS 'The company that the job was for; NULL: the system.';
COMMENT ON COLUMN jobs.history.queue IS 'The queue that it was claimed from.';
COMMENT ON COLUMN jobs.history.priority IS '0 high, 1 normal, 2 low.';
COMMENT ON COLUMN jobs.history.kind IS 'What was done.';
COMMENT ON COLUMN jobs.history.args IS 'What it was done with.';
COMMENT ON COLUMN jobs.history.attempt IS 'How often the job was begun.';
COMMENT ON COLUMN jobs.history.max_attempts IS 'How often it might have been begun.';
COMMENT ON COLUMN jobs.history.trace IS 'W3C traceparent of the call that enqueued the job.';
COMMENT ON COLUMN jobs.history.error IS 'Why the last failed attempt before a cancellation failed; NULL: none did.';
COMMENT ON COLUMN jobs.history.outcome IS 'done or cancelled.';
COMMENT ON COLUMN jobs.history.created_at IS 'When the job was enqueued.';
COMMENT ON COLUMN jobs.history.finished_at IS 'When it ended; decides the partition.';
CREATE INDEX history_id ON jobs.history (id);
CREATE INDEX history_company ON jobs.history (company_id, id DESC);

CREATE TABLE jobs.unique_keys (
    kind       text        COLLATE "C" NOT NULL,
    key        text        COLLATE "C" NOT NULL,
    job_id     uuid        NOT NULL,
    company_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT unique_keys_pkey PRIMARY KEY (kind, key)
);
COMMENT ON TABLE jobs.unique_keys IS 'Keys of unique jobs under way; freed when the job is done, cancelled or dead.';
COMMENT ON COLUMN jobs.unique_keys.kind IS 'Kind of the job.';
COMMENT ON COLUMN jobs.unique_keys.key IS 'The key, unique within the kind.';
COMMENT ON COLUMN jobs.unique_keys.job_id IS 'The job that holds it.';
COMMENT ON COLUMN jobs.unique_keys.company_id IS 'The company of that job; NULL: the system.';
COMMENT ON COLUMN jobs.unique_keys.created_at IS 'When the key was taken.';

-- Vacuum by a fixed number of dead rows and at full speed; no truncation, which takes ACCESS EXCLUSIVE at every trough; statistics
-- practically never, so that a plan made while a table was empty or full doesn't flip.
ALTER TABLE jobs.ready SET (autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_threshold = 1000000000, vacuum_truncate = off);
ALTER TABLE jobs.running SET (autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_threshold = 1000000000, vacuum_truncate = off);
ALTER TABLE jobs.scheduled SET (autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);

RESET ROLE;
