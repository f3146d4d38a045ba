-- Takes jobs from workers that went silent; how many.
-- $1 how many at most
SELECT jobs.rescue($1) AS rescued
