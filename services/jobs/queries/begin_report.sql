-- Begins an attempt at a report: from now on only its file counts. No row: the report is finished, or nobody wants it any more.
-- $1 id, $2 object id of this attempt
UPDATE jobs.reports
   SET object_id = $2
 WHERE id = $1 AND finished_at IS NULL AND expires_at > now()
RETURNING old.object_id AS earlier_object_id, kind, format, subject_company_id, period_start, period_end
