-- What a key was used for, and the response.
-- $1 company id, $2 method, $3 key
SELECT body_hash, response
  FROM idempotency
 WHERE company_id = $1 AND method = $2 AND key = $3
