-- One category as it is now, kept from changing until the transaction ends. Products may still be added to it.
-- $1 id
SELECT id, parent_id, name, version, created_at, updated_at
  FROM categories
 WHERE id = $1
   FOR NO KEY UPDATE
