-- Adds a demo user, unless it is there.
-- $1 id, $2 company id, $3 e-mail address in lower case, $4 password hash, $5 name, $6 role
INSERT INTO auth.users (id, company_id, email, email_key, password_hash, display_name, role)
VALUES ($1, $2, $3, $3, $4, $5, $6)
ON CONFLICT DO NOTHING
