-- Lists one page of products of all categories.
-- A template. `store/pages.rs` makes a statement for each order and set of conditions: it keeps the lines whose tags (after `--|`) all
-- apply, and numbers the parameters. A single statement for all, with `$1 IS NULL OR`, could use no index.
-- Products of one brand are found by brand and sorted: expressions that equal the columns keep the planner from walking all products in
-- order in the hope of meeting enough of a brand, which for a rare one is the whole table.
-- :active, :brand, :sku, :min_price, :max_price conditions; :after_... the last row of the page before; :limit rows
SELECT p.id, p.sku, p.name, p.description, p.brand, p.category_id, p.price_minor, p.currency, p.unit, p.active, p.version,
       p.created_at, p.updated_at
  FROM products p
 WHERE p.active = :active
   AND p.brand = :brand                                             --| brand
   AND p.sku = :sku                                                 --| sku
   AND p.price_minor BETWEEN :min_price AND :max_price              --| price
   AND p.sku > :after_sku                                           --| after by_sku asc
   AND p.sku < :after_sku                                           --| after by_sku desc
   AND (p.name, p.id) > (:after_name, :after_id)                    --| after by_name asc
   AND (p.name, p.id) < (:after_name, :after_id)                    --| after by_name desc
   AND (p.price_minor, p.id) > (:after_price, :after_id)            --| after by_price asc
   AND (p.price_minor, p.id) < (:after_price, :after_id)            --| after by_price desc
 ORDER BY p.sku                                                     --| by_sku asc
 ORDER BY p.sku DESC                                                --| by_sku desc
 ORDER BY p.name, p.id                                              --| by_name asc every_brand
 ORDER BY p.name DESC, p.id DESC                                    --| by_name desc every_brand
 ORDER BY p.price_minor, p.id                                       --| by_price asc every_brand
 ORDER BY p.price_minor DESC, p.id DESC                             --| by_price desc every_brand
 ORDER BY p.name || '', p.id                                        --| by_name asc brand
 ORDER BY p.name || '' DESC, p.id DESC                              --| by_name desc brand
 ORDER BY p.price_minor + 0, p.id                                   --| by_price asc brand
 ORDER BY p.price_minor + 0 DESC, p.id DESC                         --| by_price desc brand
 LIMIT :limit
