-- Records failed attempts; what became of each: retry, dead, or stale where it was not ours any more.
-- $1 ids, $2 token of each, $3 why, $4 seconds until the next attempt (NULL: backoff), $5 whether there is none
SELECT j.id, jobs.fail(j.id, j.token, j.why, make_interval(secs => j.delay), j.final) AS outcome
  FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::double precision[], $5::boolean[]) AS j (id, token, why, delay, final)
