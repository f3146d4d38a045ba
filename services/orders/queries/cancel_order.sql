-- Cancels an order and gives its stock back: cancelled, unchanged, not_cancellable or not_found.
-- $1 id, $2 who, $3 why, $4 now
SELECT orders.cancel_order($1, $2, $3, NULL, $4) AS outcome
