-- Calls a waiting job off: cancelled, not_cancellable or not_found.
-- $1 id
SELECT jobs.cancel($1) AS outcome
