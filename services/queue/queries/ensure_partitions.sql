-- Makes the days of history ahead and drops the old ones; how many were made.
SELECT jobs.ensure_partitions() AS made
