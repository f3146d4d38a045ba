-- Reads a piece of a file.
-- $1 report id, $2 object id, $3 which piece, from 0
SELECT data
  FROM jobs.report_chunks
 WHERE report_id = $1 AND object_id = $2 AND n = $3
