-- Deletes idempotency keys of jobs that nobody may repeat any more; how many.
-- $1 how many at most
SELECT jobs.delete_old_idempotency($1) AS deleted
