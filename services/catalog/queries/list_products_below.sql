-- Lists one page of the products of a category and of all below it.
-- A template, as list_products.sql. By SKU, each category gives its own first rows, which an index has in order, and the page is cut
-- from their union. By name and price all products below the category are read and sorted; OFFSET 0 keeps the planner from walking all
-- products of the catalogue in order instead.
-- :category; :active, :brand, :sku, :min_price, :max_price conditions; :after_... the last row of the page before; :limit rows
WITH RECURSIVE tree (id, depth) AS (
    SELECT c.id, 1
      FROM categories c
     WHERE c.id = :category
    UNION ALL
    SELECT c.id, t.depth + 1
      FROM tree t
      JOIN categories c ON c.parent_id = t.id
     WHERE t.depth < 10
)
SELECT p.id, p.sku, p.name, p.description, p.brand, p.category_id, p.price_minor, p.currency, p.unit, p.active, p.version,
       p.created_at, p.updated_at
  FROM tree t
 CROSS JOIN LATERAL (
    SELECT p.id, p.sku, p.name, p.description, p.brand, p.category_id, p.price_minor, p.currency, p.unit, p.active, p.version,
           p.created_at, p.updated_at
      FROM products p
     WHERE p.category_id = t.id
       AND p.active = :active
       AND p.brand = :brand                                         --| brand
       AND p.sku = :sku                                             --| sku
       AND p.price_minor BETWEEN :min_price AND :max_price          --| price
       AND p.sku > :after_sku                                       --| after by_sku asc
       AND p.sku < :after_sku                                       --| after by_sku desc
       AND (p.name, p.id) > (:after_name, :after_id)                --| after by_name asc
       AND (p.name, p.id) < (:after_name, :after_id)                --| after by_name desc
       AND (p.price_minor, p.id) > (:after_price, :after_id)        --| after by_price asc
       AND (p.price_minor, p.id) < (:after_price, :after_id)        --| after by_price desc
     ORDER BY p.sku                                                 --| by_sku asc
     ORDER BY p.sku DESC                                            --| by_sku desc
     LIMIT :limit                                                   --| by_sku
    OFFSET 0                                                        --| by_name
    OFFSET 0                                                        --| by_price
 ) p
 ORDER BY p.sku                                                     --| by_sku asc
 ORDER BY p.sku DESC                                                --| by_sku desc
 ORDER BY p.name, p.id                                              --| by_name asc
 ORDER BY p.name DESC, p.id DESC                                    --| by_name desc
 ORDER BY p.price_minor, p.id                                       --| by_price asc
 ORDER BY p.price_minor DESC, p.id DESC                             --| by_price desc
 LIMIT :limit
