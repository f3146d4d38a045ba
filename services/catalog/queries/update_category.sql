-- Gives a category new values. The caller holds its lock, and counts the version.
-- $1 id, $2 the one above, $3 name, $4 version, $5 now, $6 by whom
UPDATE categories
   SET parent_id = $2, name = $3, version = $4, updated_at = $5, updated_by = $6
 WHERE id = $1
