-- A session and its user. Locks the session: of two who present its token at once, the second sees what the first did.
-- $1 session id
SELECT s.generation, s.rotated_at, s.expires_at, s.revoked_at, u.id, u.company_id, u.email, u.display_name, u.role, u.created_at
  FROM sessions AS s
  JOIN users AS u ON u.id = s.user_id
 WHERE s.id = $1
   FOR UPDATE OF s
