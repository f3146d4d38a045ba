-- Gives a price list new values. The caller holds its lock, and counts the version.
-- $1 id, $2 name, $3 version, $4 now, $5 by whom
UPDATE price_lists
   SET name = $2, version = $3, updated_at = $4, updated_by = $5
 WHERE id = $1
