-- The products of some ids and SKUs, in no order; one named by both comes twice.
-- $1 ids, $2 SKUs
SELECT id, sku, name, description, brand, category_id, price_minor, currency, unit, active, version, created_at, updated_at
  FROM products
 WHERE id = ANY ($1)
UNION ALL
SELECT id, sku, name, description, brand, category_id, price_minor, currency, unit, active, version, created_at, updated_at
  FROM products
 WHERE sku = ANY ($2)
