-- The company of the first user of the seller's staff, if there is one.
SELECT company_id
  FROM auth.users
 WHERE role = 'seller'
 ORDER BY created_at, id
 LIMIT 1
