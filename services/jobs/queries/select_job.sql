-- Finds a job, in whatever state, among those that the caller may see.
-- $1 id
SELECT id, company_id, kind, queue, priority, state, attempt, max_attempts, error, created_at, run_at, finished_at
  FROM jobs.all_jobs
 WHERE id = $1
