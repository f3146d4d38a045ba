-- Sessions that were ended since a moment.
-- $1 the moment
SELECT session_id FROM auth.revoked_sessions($1) AS revoked (session_id)
