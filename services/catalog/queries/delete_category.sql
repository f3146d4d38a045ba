-- Removes a category. Refused by constraint where it holds products or categories.
-- $1 id
DELETE FROM categories
 WHERE id = $1
