-- Deletes idempotency keys of catalog that nobody may repeat any more; how many.
-- $1 how many at most
SELECT catalog.delete_old_idempotency($1) AS deleted
