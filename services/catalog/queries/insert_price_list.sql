-- Adds a price list.
-- $1 id, $2 name, $3 currency, $4 version, $5 now, $6 by whom
INSERT INTO price_lists (id, name, currency, version, created_at, updated_at, updated_by)
VALUES ($1, $2, $3, $4, $5, $5, $6)
