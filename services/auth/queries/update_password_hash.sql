-- Replaces the hash of a password that stays the same.
-- $1 user id, $2 the hash so far, $3 the new one, $4 now
UPDATE users
   SET password_hash = $3, updated_at = $4
 WHERE id = $1 AND password_hash = $2
