-- Adds a demo company, unless it is there.
-- $1 id, $2 name
INSERT INTO auth.companies (id, name)
VALUES ($1, $2)
ON CONFLICT ON CONSTRAINT companies_pkey DO NOTHING
