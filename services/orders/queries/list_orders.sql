-- A page of all companies' orders, newest first, for callers whose role may see them. Begins as list_orders_of_company does.
-- $1 id that the page comes behind, or NULL, $2 state, or NULL for all, $3 how many
SELECT id, company_id, buyer_id, state, currency, total_minor, purchase_order_number, note, created_at, updated_at
  FROM orders.orders
 WHERE id < COALESCE($1, sipup.uuidv7_floor(NOW() + INTERVAL '1 hour'))
   AND ($2::smallint IS NULL OR state = $2)
 ORDER BY id DESC
 LIMIT $3
