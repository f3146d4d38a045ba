-- Adds a user of the seller's staff.
-- $1 id, $2 company id, $3 e-mail address, $4 the same in lower case, $5 password hash, $6 name
INSERT INTO auth.users (id, company_id, email, email_key, password_hash, display_name, role)
VALUES ($1, $2, $3, $4, $5, $6, 'seller')
