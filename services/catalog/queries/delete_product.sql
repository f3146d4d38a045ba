-- Removes a product.
-- $1 id
DELETE FROM products
 WHERE id = $1
