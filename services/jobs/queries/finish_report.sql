-- Makes a report ready, by the attempt that began last.
-- $1 id, $2 object id of the attempt, $3 rows, $4 bytes, $5 SHA-256, $6 now, $7 expires at
UPDATE jobs.reports
   SET rows = $3, bytes = $4, sha256 = $5, finished_at = $6, expires_at = $7
 WHERE id = $1 AND object_id = $2 AND finished_at IS NULL AND expires_at > now()
