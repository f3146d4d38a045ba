-- A page of one company's orders, newest first. The first page begins an hour ahead, so that the empty months to come are not visited;
-- a lower bound would make the planner sort.
-- $1 company id, $2 id that the page comes behind, or NULL, $3 state, or NULL for all, $4 how many
SELECT id, company_id, buyer_id, state, currency, total_minor, purchase_order_number, note, created_at, updated_at
  FROM orders.orders
 WHERE company_id = $1
   AND id < COALESCE($2, sipup.uuidv7_floor(NOW() + INTERVAL '1 hour'))
   AND ($3::smallint IS NULL OR state = $3)
 ORDER BY id DESC
 LIMIT $4
