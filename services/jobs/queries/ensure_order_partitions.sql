-- Makes the months of orders ahead; how many were made.
SELECT orders.ensure_partitions() AS made
