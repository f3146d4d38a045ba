-- Lists one page of categories by id.
-- $1 the last id of the page before, empty for the first page, $2 how many rows
SELECT id, parent_id, name, version, created_at, updated_at
  FROM categories
 WHERE id > $1
 ORDER BY id
 LIMIT $2
