-- Extends leases; the jobs that are still ours.
-- $1 ids, $2 token of each, $3 lease in seconds
SELECT claimed.token, kept.id
  FROM (SELECT array_agg(j.id) AS ids, j.token FROM unnest($1::uuid[], $2::uuid[]) AS j (id, token) GROUP BY j.token) AS claimed,
       LATERAL jobs.extend(claimed.ids, claimed.token, make_interval(secs => $3)) AS kept (id)
