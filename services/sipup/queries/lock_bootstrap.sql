-- Lets one bootstrap run at a time, until the transaction ends.
SELECT pg_advisory_xact_lock(hashtextextended('sipup bootstrap', 0))
