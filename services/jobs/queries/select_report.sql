-- Finds a report among those that the caller may see.
-- $1 id
SELECT id, company_id, kind, format, subject_company_id, period_start, period_end, job_id, object_id, state, rows, bytes, sha256, error,
       created_at, finished_at, expires_at
  FROM jobs.all_reports
 WHERE id = $1
