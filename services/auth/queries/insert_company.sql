-- Inserts a company.
-- $1 id, $2 name, $3 now
INSERT INTO companies (id, name, created_at, updated_at)
VALUES ($1, $2, $3, $3)
