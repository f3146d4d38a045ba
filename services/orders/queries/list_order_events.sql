-- Events of one order behind a position, in their order.
-- $1 order id, $2 position that is known, $3 how many at most
SELECT order_id, seq, kind, at, actor, data ->> 'reason' AS reason
  FROM orders.order_events
 WHERE order_id = $1
   AND seq > $2
 ORDER BY seq
 LIMIT $3
