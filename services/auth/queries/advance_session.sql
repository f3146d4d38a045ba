-- Moves a session on to its next refresh token, if the newest is still the one that was used.
-- $1 session id, $2 generation that was used, $3 the next one, $4 now, $5 when that one stops working
UPDATE sessions
   SET generation = $3, rotated_at = $4, expires_at = $5, updated_at = $4
 WHERE id = $1 AND generation = $2 AND revoked_at IS NULL
