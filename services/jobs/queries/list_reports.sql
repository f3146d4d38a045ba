-- Lists reports that the caller may see, newest first.
-- $1 id of the last report of the page before, NULL: the first page; $2 how many
SELECT id, company_id, kind, format, subject_company_id, period_start, period_end, job_id, object_id, state, rows, bytes, sha256, error,
       created_at, finished_at, expires_at
  FROM jobs.all_reports
 WHERE id < coalesce($1, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
 ORDER BY id DESC
 LIMIT $2
