-- Makes scheduled jobs that are due ready; how many.
-- $1 how many at most
SELECT jobs.promote($1) AS promoted
