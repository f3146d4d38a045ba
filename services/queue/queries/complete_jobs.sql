-- Moves jobs that ended well to history; how many were still ours.
-- $1 ids, $2 token of each
SELECT coalesce(sum(jobs.complete(claimed.ids, claimed.token)), 0)::bigint AS completed
  FROM (SELECT array_agg(j.id) AS ids, j.token FROM unnest($1::uuid[], $2::uuid[]) AS j (id, token) GROUP BY j.token) AS claimed
