-- Revokes a session, once: the first reason stays.
-- $1 session id, $2 reason, $3 now
UPDATE sessions
   SET revoked_at = $3, reason = $2, updated_at = $3
 WHERE id = $1 AND revoked_at IS NULL
