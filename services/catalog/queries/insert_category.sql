-- Adds a category.
-- $1 id, $2 the one above, $3 name, $4 version, $5 now, $6 by whom
INSERT INTO categories (id, parent_id, name, version, created_at, updated_at, updated_by)
VALUES ($1, $2, $3, $4, $5, $5, $6)
