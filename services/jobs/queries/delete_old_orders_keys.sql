-- Deletes idempotency keys of orders that nobody may repeat any more; how many.
-- $1 how many at most
SELECT orders.delete_old_idempotency($1) AS deleted
