-- Stores a piece of a file.
-- $1 report id, $2 object id, $3 which piece, from 0, $4 the bytes
INSERT INTO jobs.report_chunks (report_id, object_id, n, data)
VALUES ($1, $2, $3, $4)
