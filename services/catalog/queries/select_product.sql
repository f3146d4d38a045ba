-- One product.
-- $1 id
SELECT id, sku, name, description, brand, category_id, price_minor, currency, unit, active, version, created_at, updated_at
  FROM products
 WHERE id = $1
