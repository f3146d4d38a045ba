-- Inserts a report that waits for its job.
-- $1 id, $2 company id, $3 kind, $4 format, $5 company that it is about (NULL: all), $6 start and $7 end of the period, $8 job id,
-- $9 expires at, $10 now, $11 user
INSERT INTO jobs.reports (id, company_id, kind, format, subject_company_id, period_start, period_end, job_id, expires_at, created_at, created_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
