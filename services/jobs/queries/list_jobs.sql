-- Lists jobs that the caller may see, newest first.
-- $1 state, NULL: any; $2 kind, NULL: any; $3 id of the last job of the page before, NULL: the first page; $4 how many
SELECT id, company_id, kind, queue, priority, state, attempt, max_attempts, error, created_at, run_at, finished_at
  FROM jobs.all_jobs
 WHERE ($1::text IS NULL OR state = $1)
   AND ($2::text IS NULL OR kind = $2)
   AND id < coalesce($3, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
 ORDER BY id DESC
 LIMIT $4
