-- Deletes a report that may be removed, once its file is.
-- $1 id
DELETE FROM jobs.reports
 WHERE id = $1 AND expires_at <= now()
