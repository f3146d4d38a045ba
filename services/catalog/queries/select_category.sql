-- One category.
-- $1 id
SELECT id, parent_id, name, version, created_at, updated_at
  FROM categories
 WHERE id = $1
