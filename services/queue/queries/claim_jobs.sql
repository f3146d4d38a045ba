-- Claims due jobs of a queue.
-- $1 queue, $2 how many at most, $3 token of this claim, $4 lease in seconds, $5 lowest pos to look at, NULL: $6 microseconds ago
SELECT id, company_id, kind, args, attempt, max_attempts, trace, pos, created_at
  FROM jobs.claim($1, $2, $3, make_interval(secs => $4),
                  coalesce($5, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - $6))
