-- Adds a product.
-- $1 id, $2 SKU, $3 name, $4 description, $5 brand, $6 category, $7 price in minor units, $8 currency, $9 unit, $10 whether active,
-- $11 version, $12 now, $13 by whom
INSERT INTO products (id, sku, name, description, brand, category_id, price_minor, currency, unit, active,
                      version, created_at, updated_at, updated_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, $13)
