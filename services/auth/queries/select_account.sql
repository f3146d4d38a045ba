-- Who logs in with an e-mail address, and what decides over it.
-- $1 the address in lower case
SELECT id, company_id, email, display_name, role, created_at, password_hash, locked_until
  FROM users
 WHERE email_key = $1
