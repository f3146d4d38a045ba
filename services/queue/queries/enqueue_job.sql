-- Adds a job to this transaction; the id of the job, or of the one that holds the unique key.
-- $1 company id, $2 queue, $3 kind, $4 arguments, $5 priority, $6 when to run, $7 unique key, $8 traceparent, $9 attempts at most
SELECT jobs.enqueue($1, $2, $3, $4, $5, $6, $7, $8, $9) AS id
