-- Gives a product new values. The caller holds its lock, and counts the version.
-- $1 id, $2 name, $3 description, $4 brand, $5 category, $6 price in minor units, $7 currency, $8 unit, $9 whether active,
-- $10 version, $11 now, $12 by whom
UPDATE products
   SET name = $2, description = $3, brand = $4, category_id = $5, price_minor = $6, currency = $7, unit = $8, active = $9,
       version = $10, updated_at = $11, updated_by = $12
 WHERE id = $1
