-- Lists one page of the prices of a price list by SKU and quantity.
-- $1 price list, $2 SKU and $3 quantity of the last row of the page before, empty and 0 for the first page, $4 how many rows
SELECT sku, min_quantity, price_minor, updated_at
  FROM prices
 WHERE price_list_id = $1
   AND (sku, min_quantity) > ($2, $3)
 ORDER BY sku, min_quantity
 LIMIT $4
