-- Where the log stands behind the commit before it.
SELECT timeline, lsn
  FROM sipup.commit_position()
