-- The role of the user with an e-mail address.
-- $1 the address in lower case
SELECT role
  FROM auth.users
 WHERE email_key = $1
