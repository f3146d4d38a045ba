-- The stock of one SKU.
-- $1 SKU
SELECT sku, on_hand, updated_at
  FROM orders.stock
 WHERE sku = $1
