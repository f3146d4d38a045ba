-- Events of many orders, each behind the position that is known of it: one look into the index for each order.
-- $1 order ids, each once, $2 the position that is known of each, $3 how many of each at most
SELECT e.order_id, e.seq, e.kind, e.at, e.actor, e.data ->> 'reason' AS reason
  FROM UNNEST($1::uuid[], $2::integer[]) AS watched (order_id, seq)
 CROSS JOIN LATERAL (
       SELECT order_id, seq, kind, at, actor, data
         FROM orders.order_events
        WHERE order_id = watched.order_id
          AND seq > watched.seq
        ORDER BY seq
        LIMIT $3
       ) AS e
