-- Adds a demo category, unless it is there.
-- $1 id, $2 parent or NULL, $3 name
INSERT INTO catalog.categories (id, parent_id, name)
VALUES ($1, $2, $3)
ON CONFLICT ON CONSTRAINT categories_pkey DO NOTHING
