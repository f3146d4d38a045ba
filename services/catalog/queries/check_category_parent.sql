-- Whether a category may stand below another: ok, parent_not_found or cycle. Locks the shape of the tree until the transaction ends.
-- $1 category, $2 the one above, NULL for the top
SELECT check_category_parent($1, $2) AS verdict
