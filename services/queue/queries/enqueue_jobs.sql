-- Adds one job for each element of the arguments to this transaction; their ids.
-- $1 company id, $2 queue, $3 kind, $4 arguments of each, $5 priority, $6 traceparent, $7 attempts at most
SELECT id FROM jobs.enqueue_many($1, $2, $3, $4, $5, $6, $7) AS id
