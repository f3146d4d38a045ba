-- Lists one page of the companies that have a price list, by id.
-- $1 price list, $2 the last company of the page before, all zeros for the first page, $3 how many rows
SELECT company_id
  FROM company_price_lists
 WHERE price_list_id = $1
   AND company_id > $2
 ORDER BY company_id
 LIMIT $3
