-- Inserts a user. The constraint users_email_key_key refuses a second one of the same address.
-- $1 id, $2 company id, $3 e-mail address, $4 the same in lower case, $5 Argon2id hash, $6 display name, $7 role, $8 now
INSERT INTO users (id, company_id, email, email_key, password_hash, display_name, role, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
