-- Leaves the response with a key that this transaction has claimed.
-- $1 company id, $2 method, $3 key, $4 the encoded response
UPDATE idempotency
   SET response = $4
 WHERE company_id = $1 AND method = $2 AND key = $3
