-- Adds the seller's own company.
-- $1 id, $2 name
INSERT INTO auth.companies (id, name)
VALUES ($1, $2)
