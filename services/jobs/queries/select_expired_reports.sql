-- Lists reports that may be removed, and what they are stored as.
-- $1 id of the last report before, NULL: from the first; $2 how many
SELECT id, object_id
  FROM jobs.reports
 WHERE expires_at <= now()
   AND id > coalesce($1, '00000000-0000-0000-0000-000000000000'::uuid)
 ORDER BY id
 LIMIT $2
