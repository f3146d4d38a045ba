-- Deletes the pieces of a file.
-- $1 report id, $2 object id
DELETE FROM jobs.report_chunks
 WHERE report_id = $1 AND object_id = $2
