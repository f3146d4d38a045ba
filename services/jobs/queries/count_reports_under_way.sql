-- Counts a company's reports that wait or are being made.
-- $1 company id
SELECT count(*) AS under_way
  FROM jobs.reports r
  JOIN jobs.all_jobs j ON j.id = r.job_id
 WHERE r.company_id = $1
   AND r.finished_at IS NULL
   AND j.state IN ('scheduled', 'ready', 'running')
