-- Puts jobs off without spending their attempt; whether each was still ours.
-- $1 ids, $2 token of each, $3 seconds
SELECT j.id, jobs.snooze(j.id, j.token, make_interval(secs => j.delay)) AS snoozed
  FROM unnest($1::uuid[], $2::uuid[], $3::double precision[]) AS j (id, token, delay)
