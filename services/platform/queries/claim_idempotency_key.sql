-- Makes a key this transaction's. No row: it was taken before. Waits for an open transaction that holds it.
-- $1 company id, $2 method, $3 key, $4 SHA-256 of the request
INSERT INTO idempotency (company_id, method, key, body_hash)
VALUES ($1, $2, $3, $4)
ON CONFLICT ON CONSTRAINT idempotency_pkey DO NOTHING
