-- Takes an advisory lock for as long as the connection lasts, if nobody has it.
-- $1 the lock's name
SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS leads
