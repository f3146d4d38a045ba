-- Deletes idempotency keys of auth that nobody may repeat any more; how many.
-- $1 how many at most
SELECT auth.delete_old_idempotency($1) AS deleted
