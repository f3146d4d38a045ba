-- Makes requests of one company for reports follow each other, so that none is counted twice or not at all.
-- $1 company id
SELECT pg_advisory_xact_lock(hashtextextended('jobs.reports ' || $1::uuid::text, 0)) IS NULL AS locked
