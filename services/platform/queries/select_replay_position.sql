-- How far a replica is, and how many microseconds it is behind; null where it doesn't know.
SELECT timeline, lsn, in_recovery, (EXTRACT(epoch FROM lag) * 1000000)::bigint AS lag_micros
  FROM sipup.replay_position()
