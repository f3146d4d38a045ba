-- Placing, cancelling and shipping orders, and adjusting stock: each one call, so that what holds locks takes no round trips.
--
-- Lock order, the same everywhere: idempotency key, order row, unique key of a job, stock by SKU byte by byte. They run with the rights and under
-- the policies of the caller, who has set sipup.company_id for the transaction.
SET LOCAL ROLE orders_owner;

-- True when the id's clock is within ten minutes of ours: a wrong clock must not decide the partition of an order.
CREATE FUNCTION orders.check_order_id(p_id uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce(uuid_extract_version(p_id) = 7
                    AND uuid_extract_timestamp(p_id) BETWEEN now() - interval '10 minutes' AND now() + interval '10 minutes', false)
$$;
COMMENT ON FUNCTION orders.check_order_id IS 'Whether the id is a UUIDv7 made within ten minutes of now.';

-- Enqueues a job described as {"queue", "kind", "args", "priority", "unique_key", "trace", "max_attempts"}, the first three of them required.
CREATE FUNCTION orders.enqueue(p_company uuid, p_job jsonb) RETURNS uuid LANGUAGE sql AS $$
    SELECT jobs.enqueue(p_company, p_job->>'queue', p_job->>'kind', p_job->'args',
                        p_priority => coalesce((p_job->>'priority')::smallint, 1::smallint), p_unique_key => p_job->>'unique_key',
                        p_trace => p_job->>'trace', p_max_attempts => coalesce((p_job->>'max_attempts')::smallint, 4::smallint))
$$;
COMMENT ON FUNCTION orders.enqueue IS 'Enqueues a job described as a JSON object.';

-- Places an order: idempotency row with the answer, order, lines, event, job and stock, or nothing at all. outcome:
--   created     response: p_response
--   replayed    carried out before; response: what was stored then
--   key_reused  the key belongs to a request with another body
--   busy        a twin of this request still runs, and did for two seconds
--   stock       detail: [{"line", "sku", "wanted", "available"}], one for each line that lacks, lines counted from 1
--   clock       p_id is not a UUIDv7 of these minutes
-- A refusal leaves nothing, not even the key: the same request may succeed later.
-- The contended rows come last, one by one in SKU order; a set-wise UPDATE would lock in the order of its plan and take one of two equal SKUs
-- only. The look-up of a twin's answer works because each statement here has a snapshot of its own (READ COMMITTED).
CREATE FUNCTION orders.create_order(
    p_id uuid, p_company uuid, p_buyer uuid, p_method text, p_key text, p_hash bytea, p_response bytea,
    p_currency text, p_purchase_order_number text, p_note text,
    p_products uuid[], p_skus text[], p_names text[], p_quantities integer[], p_prices bigint[],
    p_job jsonb, p_now timestamptz)
RETURNS TABLE (outcome text, detail jsonb, response bytea) LANGUAGE plpgsql AS $$
DECLARE
    v_old     record;
    v_line    integer;
    v_left    integer;
    v_short   jsonb;
    v_timeout text := current_setting('lock_timeout');
    v_has_key boolean := false;
BEGIN
    IF NOT orders.check_order_id(p_id) THEN
        RETURN QUERY SELECT 'clock', NULL::jsonb, NULL::bytea;
        RETURN;
    END IF;
    BEGIN
        -- Waits for a twin, and only this statement gives up after two seconds.
        PERFORM set_config('lock_timeout', '2s', true);
        INSERT INTO orders.idempotency AS i (company_id, method, key, body_hash, response)
        VALUES (p_company, p_method, p_key, p_hash, p_response) ON CONFLICT DO NOTHING;
        v_has_key := true;
        IF NOT FOUND THEN
            PERFORM set_config('lock_timeout', v_timeout, true);
            SELECT i.body_hash, i.response INTO v_old FROM orders.idempotency i
             WHERE i.company_id = p_company AND i.method = p_method AND i.key = p_key;
            IF v_old.body_hash = p_hash THEN
                RETURN QUERY SELECT 'replayed', NULL::jsonb, v_old.response;
            ELSE
                RETURN QUERY SELECT 'key_reused', NULL::jsonb, NULL::bytea;
            END IF;
            RETURN;
        END IF;
        PERFORM set_config('lock_timeout', v_timeout, true);

        INSERT INTO orders.orders (id, company_id, buyer_id, state, currency, total_minor, purchase_order_number, note, created_at, updated_at, updated_by)
        SELECT p_id, p_company, p_buyer, 1, p_currency, sum(l.quantity * l.price), p_purchase_order_number, p_note, p_now, p_now, p_buyer
          FROM unnest(p_quantities, p_prices) AS l (quantity, price);
        INSERT INTO orders.order_lines (order_id, line_no, company_id, product_id, sku, name, quantity, price_minor, created_at)
        SELECT p_id, l.n, p_company, l.product_id, l.sku, l.name, l.quantity, l.price, p_now
          FROM unnest(p_products, p_skus, p_names, p_quantities, p_prices) WITH ORDINALITY AS l (product_id, sku, name, quantity, price, n);
        INSERT INTO orders.order_events (order_id, seq, company_id, kind, at, actor) VALUES (p_id, 1, p_company, 'placed', p_now, p_buyer);
        IF p_job IS NOT NULL THEN
            PERFORM orders.enqueue(p_company, p_job);
        END IF;

        FOR v_line IN SELECT l.n FROM unnest(p_skus) WITH ORDINALITY AS l (sku, n) ORDER BY l.sku COLLATE "C", l.n LOOP
            UPDATE orders.stock s SET on_hand = s.on_hand - p_quantities[v_line], updated_at = p_now
             WHERE s.sku = p_skus[v_line] AND s.on_hand >= p_quantities[v_line];
            IF NOT FOUND THEN
                SELECT s.on_hand INTO v_left FROM orders.stock s WHERE s.sku = p_skus[v_line];
                v_short := coalesce(v_short, '[]') || jsonb_build_object(
                    'line', v_line, 'sku', p_skus[v_line], 'wanted', p_quantities[v_line], 'available', coalesce(v_left, 0));
            END IF;
        END LOOP;
        IF v_short IS NOT NULL THEN
            RAISE SQLSTATE 'SU001';
        END IF;
    EXCEPTION
        -- Either undoes the block, the key with it, and keeps the transaction.
        WHEN SQLSTATE 'SU001' THEN
            RETURN QUERY SELECT 'stock', v_short, NULL::bytea;
            RETURN;
        WHEN lock_not_available THEN
            IF v_has_key THEN
                RAISE;
            END IF;
            RETURN QUERY SELECT 'busy', NULL::jsonb, NULL::bytea;
            RETURN;
    END;
    RETURN QUERY SELECT 'created', NULL::jsonb, p_response;
END $$;
COMMENT ON FUNCTION orders.create_order IS 'Places an order or nothing: created, replayed, key_reused, busy, stock or clock.';

-- Cancels a placed order and gives its stock back: cancelled, unchanged (it was already), not_cancellable or not_found.
CREATE FUNCTION orders.cancel_order(p_id uuid, p_actor uuid, p_reason text, p_job jsonb, p_now timestamptz)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_state   smallint;
    v_company uuid;
    v_line    record;
BEGIN
    SELECT o.state, o.company_id INTO v_state, v_company FROM orders.orders o WHERE o.id = p_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN 'not_found';
    ELSIF v_state = 3 THEN
        RETURN 'unchanged';
    ELSIF v_state <> 1 THEN
        RETURN 'not_cancellable';
    END IF;
    UPDATE orders.orders o SET state = 3, cancelled_reason = coalesce(p_reason, ''), updated_at = p_now, updated_by = p_actor WHERE o.id = p_id;
    INSERT INTO orders.order_events (order_id, seq, company_id, kind, at, actor, data)
    SELECT p_id, max(e.seq) + 1, v_company, 'cancelled', p_now, p_actor, jsonb_build_object('reason', coalesce(p_reason, ''))
      FROM orders.order_events e WHERE e.order_id = p_id;
    IF p_job IS NOT NULL THEN
        PERFORM orders.enqueue(v_company, p_job);
    END IF;
    FOR v_line IN
        SELECT l.sku, sum(l.quantity) AS quantity FROM orders.order_lines l WHERE l.order_id = p_id GROUP BY l.sku ORDER BY l.sku COLLATE "C"
    LOOP
        UPDATE orders.stock s SET on_hand = s.on_hand + v_line.quantity, updated_at = p_now WHERE s.sku = v_line.sku;
    END LOOP;
    RETURN 'cancelled';
END $$;
COMMENT ON FUNCTION orders.cancel_order IS 'Cancels an order: cancelled, unchanged, not_cancellable or not_found.';

-- Marks a placed order as shipped: shipped, unchanged (it was already), not_shippable or not_found.
CREATE FUNCTION orders.ship_order(p_id uuid, p_actor uuid, p_job jsonb, p_now timestamptz)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_state   smallint;
    v_company uuid;
BEGIN
    SELECT o.state, o.company_id INTO v_state, v_company FROM orders.orders o WHERE o.id = p_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN 'not_found';
    ELSIF v_state = 2 THEN
        RETURN 'unchanged';
    ELSIF v_state <> 1 THEN
        RETURN 'not_shippable';
    END IF;
    UPDATE orders.orders o SET state = 2, updated_at = p_now, updated_by = p_actor WHERE o.id = p_id;
    INSERT INTO orders.order_events (order_id, seq, company_id, kind, at, actor)
    SELECT p_id, max(e.seq) + 1, v_company, 'shipped', p_now, p_actor FROM orders.order_events e WHERE e.order_id = p_id;
    IF p_job IS NOT NULL THEN
        PERFORM orders.enqueue(v_company, p_job);
    END IF;
    RETURN 'shipped';
END $$;
COMMENT ON FUNCTION orders.ship_order IS 'Marks an order as shipped: shipped, unchanged, not_shippable or not_found.';

-- Adds p_deltas to the stock of p_skus, all or none; a SKU without stock begins at zero. One row for each adjustment, n counted from 1. outcome:
--   adjusted   on_hand: the stock now
--   refused    would become negative, or more than 2,000,000,000; on_hand: the stock as it is
--   skipped    nothing wrong with it, but another was refused; on_hand: the stock as it is
-- The SKUs of one call must differ (22023 otherwise: UPDATE ... FROM would apply one of two).
CREATE FUNCTION orders.adjust_stock(p_skus text[], p_deltas integer[], p_now timestamptz, p_by uuid)
RETURNS TABLE (n integer, outcome text, on_hand integer) LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    v_before integer[];
BEGIN
    IF (SELECT count(DISTINCT g.sku) <> count(*) OR count(g.delta) <> count(*) FROM unnest(p_skus, p_deltas) AS g (sku, delta)) THEN
        RAISE invalid_parameter_value USING MESSAGE = 'each SKU needs one delta, and may be listed once';
    END IF;
    BEGIN
        INSERT INTO orders.stock AS s (sku, on_hand, created_at, updated_at, updated_by)
        SELECT g.sku, 0, p_now, p_now, p_by FROM unnest(p_skus) AS g (sku)
         WHERE NOT EXISTS (SELECT FROM orders.stock o WHERE o.sku = g.sku)
         ORDER BY g.sku COLLATE "C"
        ON CONFLICT ON CONSTRAINT stock_pkey DO NOTHING;
        PERFORM FROM orders.stock s WHERE s.sku = ANY (p_skus) ORDER BY s.sku FOR NO KEY UPDATE;
        SELECT array_agg(s.on_hand ORDER BY g.n) INTO v_before
          FROM unnest(p_skus) WITH ORDINALITY AS g (sku, n) JOIN orders.stock s ON s.sku = g.sku;
        IF EXISTS (SELECT FROM unnest(v_before, p_deltas) AS g (before, delta) WHERE g.before::bigint + g.delta NOT BETWEEN 0 AND 2000000000) THEN
            RAISE SQLSTATE 'SU001';
        END IF;
        UPDATE orders.stock s SET on_hand = s.on_hand + g.delta, updated_at = p_now, updated_by = p_by
          FROM unnest(p_skus, p_deltas) AS g (sku, delta) WHERE s.sku = g.sku;
    EXCEPTION WHEN SQLSTATE 'SU001' THEN
        -- The rows begun at zero are undone with the block.
        RETURN QUERY
        SELECT g.n::integer, CASE WHEN g.before::bigint + g.delta BETWEEN 0 AND 2000000000 THEN 'skipped' ELSE 'refused' END, g.before
          FROM unnest(v_before, p_deltas) WITH ORDINALITY AS g (before, delta, n) ORDER BY g.n;
        RETURN;
    END;
    RETURN QUERY
    SELECT g.n::integer, 'adjusted', g.before + g.delta FROM unnest(v_before, p_deltas) WITH ORDINALITY AS g (before, delta, n) ORDER BY g.n;
END $$;
COMMENT ON FUNCTION orders.adjust_stock IS 'Changes the stock of many SKUs, all or none; what became of each.';

RESET ROLE;
