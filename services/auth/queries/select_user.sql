-- A user and the user's company.
-- $1 user id
SELECT u.id, u.company_id, u.email, u.display_name, u.role, u.created_at, c.name AS company_name, c.created_at AS company_created_at
  FROM users AS u
  JOIN companies AS c ON c.id = u.company_id
 WHERE u.id = $1
