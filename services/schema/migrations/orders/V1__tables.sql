-- Orders, their lines and events, and stock. Range-partitioned by the order's UUIDv7 with month boundaries: a look-up by id touches one partition, a
-- list by (company_id, id DESC) stops early. No DEFAULT partition (it forbids DETACH CONCURRENTLY) and no foreign key between the
-- partitioned tables (with one, ATTACH waits for every writer); the functions of this schema write them together.
SET LOCAL ROLE orders_owner;

COMMENT ON SCHEMA orders IS 'Orders of companies, and the stock that they are placed against.';

CREATE TABLE orders.orders (
    id                    uuid        NOT NULL,
    company_id            uuid        NOT NULL,
    buyer_id              uuid        NOT NULL,
    state                 smallint    NOT NULL,
    currency              text        COLLATE "C" NOT NULL,
    total_minor           bigint      NOT NULL,
    purchase_order_number text        NOT NULL DEFAULT '',
    note                  text        NOT NULL DEFAULT '',
    cancelled_reason      text,
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now(),
    updated_by            uuid,
    CONSTRAINT orders_pkey PRIMARY KEY (id),
    CONSTRAINT orders_id_is_v7 CHECK (uuid_extract_version(id) = 7),
    CONSTRAINT orders_state_known CHECK (state BETWEEN 1 AND 3),
    CONSTRAINT orders_reason_when_cancelled CHECK ((state = 3) = (cancelled_reason IS NOT NULL)),
    CONSTRAINT orders_currency_is_iso CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT orders_total_in_range CHECK (total_minor BETWEEN 0 AND 1000000000000),
    CONSTRAINT orders_texts_bounded
        CHECK (char_length(purchase_order_number) <= 64 AND char_length(note) <= 1000 AND char_length(cancelled_reason) <= 500)
) PARTITION BY RANGE (id);
COMMENT ON TABLE orders.orders IS 'What a company bought.';
COMMENT ON COLUMN orders.orders.id IS 'UUIDv7, given by the service; its time decides the partition.';
COMMENT ON COLUMN orders.orders.company_id IS 'The company that ordered.';
COMMENT ON COLUMN orders.orders.buyer_id IS 'The user who ordered.';
COMMENT ON COLUMN orders.orders.state IS '1 placed, 2 shipped, 3 cancelled.';
COMMENT ON COLUMN orders.orders.currency IS 'ISO 4217 code of the total and of every line.';
COMMENT ON COLUMN orders.orders.total_minor IS 'Sum of the lines, in minor units of currency.';
COMMENT ON COLUMN orders.orders.purchase_order_number IS 'The buyer''s own reference; empty: none.';
COMMENT ON COLUMN orders.orders.note IS 'A remark for the seller; empty: none.';
COMMENT ON COLUMN orders.orders.cancelled_reason IS 'Why it was cancelled, empty where not said; NULL: it was not cancelled.';
COMMENT ON COLUMN orders.orders.created_at IS 'When the order was placed.';
COMMENT ON COLUMN orders.orders.updated_at IS 'When it last changed.';
COMMENT ON COLUMN orders.orders.updated_by IS 'The user who last changed it; NULL: the system.';
CREATE INDEX orders_company ON orders.orders (company_id, id DESC);

-- company_id stands in lines and events too: a policy that compares a column is cheaper than one that looks the order up.
CREATE TABLE orders.order_lines (
    order_id    uuid        NOT NULL,
    line_no     smallint    NOT NULL,
    company_id  uuid        NOT NULL,
    product_id  uuid        NOT NULL,
    sku         text        COLLATE "C" NOT NULL,
    name        text        NOT NULL,
    quantity    integer     NOT NULL,
    price_minor bigint      NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT order_lines_pkey PRIMARY KEY (order_id, line_no),
    CONSTRAINT order_lines_line_no_positive CHECK (line_no > 0),
    CONSTRAINT order_lines_quantity_positive CHECK (quantity > 0),
    CONSTRAINT order_lines_price_in_range CHECK (price_minor BETWEEN 0 AND 1000000000000)
) PARTITION BY RANGE (order_id);
COMMENT ON TABLE orders.order_lines IS 'Positions of orders; a snapshot, never changed.';
COMMENT ON COLUMN orders.order_lines.order_id IS 'The order.';
COMMENT ON COLUMN orders.order_lines.line_no IS 'Position in the order, from 1.';
COMMENT ON COLUMN orders.order_lines.company_id IS 'The company that ordered.';
COMMENT ON COLUMN orders.order_lines.product_id IS 'The product''s id.';
COMMENT ON COLUMN orders.order_lines.sku IS 'The product''s SKU.';
COMMENT ON COLUMN orders.order_lines.name IS 'The product''s name when it was ordered.';
COMMENT ON COLUMN orders.order_lines.quantity IS 'Units ordered.';
COMMENT ON COLUMN orders.order_lines.price_minor IS 'Price of one unit when it was ordered, in minor units of the order''s currency.';
COMMENT ON COLUMN orders.order_lines.created_at IS 'When the order was placed.';

CREATE TABLE orders.order_events (
    order_id   uuid        NOT NULL,
    seq        integer     NOT NULL,
    company_id uuid        NOT NULL,
    kind       text        COLLATE "C" NOT NULL,
    at         timestamptz NOT NULL,
    actor      uuid,
    data       jsonb       NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT order_events_pkey PRIMARY KEY (order_id, seq),
    CONSTRAINT order_events_seq_positive CHECK (seq > 0),
    CONSTRAINT order_events_kind_known CHECK (kind IN ('placed', 'shipped', 'cancelled'))
) PARTITION BY RANGE (order_id);
COMMENT ON TABLE orders.order_events IS 'What happened to orders; only ever added to.';
COMMENT ON COLUMN orders.order_events.order_id IS 'The order.';
COMMENT ON COLUMN orders.order_events.seq IS 'From 1, without gaps, given under the order''s row lock: the order of ids made elsewhere is not the order of commits.';
COMMENT ON COLUMN orders.order_events.company_id IS 'The company that ordered.';
COMMENT ON COLUMN orders.order_events.kind IS 'placed, shipped or cancelled.';
COMMENT ON COLUMN orders.order_events.at IS 'When it happened, by the service''s clock.';
COMMENT ON COLUMN orders.order_events.actor IS 'The user who did it; NULL: the system.';
COMMENT ON COLUMN orders.order_events.data IS 'What else belongs to the event.';
COMMENT ON COLUMN orders.order_events.created_at IS 'When the row was written, by the database''s clock.';

-- Half-empty pages: these rows are updated all the time, and a HOT update needs room on the row's own page.
CREATE TABLE orders.stock (
    sku        text        COLLATE "C" NOT NULL,
    on_hand    integer     NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by uuid,
    CONSTRAINT stock_pkey PRIMARY KEY (sku),
    CONSTRAINT stock_not_negative CHECK (on_hand >= 0),
    CONSTRAINT stock_sku_bounded CHECK (octet_length(sku) BETWEEN 1 AND 64)
) WITH (fillfactor = 50);
COMMENT ON TABLE orders.stock IS 'Units of each SKU that can be sold. Locked by SKU, byte by byte, and after everything else.';
COMMENT ON COLUMN orders.stock.sku IS 'The SKU.';
COMMENT ON COLUMN orders.stock.on_hand IS 'Units that can be sold now.';
COMMENT ON COLUMN orders.stock.created_at IS 'When stock of the SKU was first recorded.';
COMMENT ON COLUMN orders.stock.updated_at IS 'When on_hand last changed.';
COMMENT ON COLUMN orders.stock.updated_by IS 'The user who last adjusted it by hand; NULL: nobody has.';

-- Unique over all time, so it can't be partitioned by time; eight hash partitions keep vacuum and the deletion of old rows small.
CREATE TABLE orders.idempotency (
    company_id uuid        NOT NULL,
    method     text        COLLATE "C" NOT NULL,
    key        text        COLLATE "C" NOT NULL,
    body_hash  bytea       NOT NULL,
    response   bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT idempotency_pkey PRIMARY KEY (company_id, method, key),
    CONSTRAINT idempotency_key_bounded CHECK (octet_length(key) BETWEEN 1 AND 128)
) PARTITION BY HASH (company_id, method, key);
COMMENT ON TABLE orders.idempotency IS 'Requests already carried out, with their answers; kept 30 days.';
COMMENT ON COLUMN orders.idempotency.company_id IS 'The company of the caller; all zeros for callers without one.';
COMMENT ON COLUMN orders.idempotency.method IS 'Name of the rpc.';
COMMENT ON COLUMN orders.idempotency.key IS 'The caller''s key of the request.';
COMMENT ON COLUMN orders.idempotency.body_hash IS 'Hash of the request without its key; another body under the same key is refused.';
COMMENT ON COLUMN orders.idempotency.response IS 'The encoded answer; NULL only inside the transaction that carries the request out.';
COMMENT ON COLUMN orders.idempotency.created_at IS 'When the request was carried out.';
DO $$ BEGIN
    FOR i IN 0..7 LOOP
        EXECUTE format('CREATE TABLE orders.idempotency_%s PARTITION OF orders.idempotency FOR VALUES WITH (MODULUS 8, REMAINDER %s)', i, i);
    END LOOP;
END $$;
CREATE INDEX idempotency_created ON orders.idempotency USING brin (created_at) WITH (pages_per_range = 32, autosummarize = on);

-- Deletes up to p_limit rows older than 30 days; call it until it answers 0. Joined by the key: ctid is not unique over partitions.
CREATE FUNCTION orders.delete_old_idempotency(p_limit integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH old AS MATERIALIZED (
        SELECT i.company_id, i.method, i.key FROM orders.idempotency i
         WHERE i.created_at < now() - interval '30 days' LIMIT p_limit FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM orders.idempotency i USING old
         WHERE i.company_id = old.company_id AND i.method = old.method AND i.key = old.key RETURNING 1
    )
    SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION orders.delete_old_idempotency IS 'Deletes up to p_limit rows older than 30 days; how many.';

-- Last month, this one and thirteen ahead, for orders, lines and events. Answers how many partitions were made. An id outside them is refused with
-- 23514 and no constraint name ("no partition of relation ... found for row"): alarm on it.
CREATE FUNCTION orders.ensure_partitions() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '2s' AS $$
DECLARE
    v_parent text;
    v_month  timestamptz;
    v_made   integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('orders.ensure_partitions', 0));
    FOR v_month IN SELECT date_trunc('month', now()) + make_interval(months => m) FROM generate_series(-1, 13) AS m LOOP
        FOREACH v_parent IN ARRAY ARRAY['orders', 'order_lines', 'order_events'] LOOP
            IF sipup.add_partition(('orders.' || v_parent)::regclass, to_char(v_month, 'YYYY_MM'), CASE v_parent WHEN 'orders' THEN 'id' ELSE 'order_id' END,
                                   sipup.uuidv7_floor(v_month)::text, sipup.uuidv7_floor(v_month + interval '1 month')::text) THEN
                v_made := v_made + 1;
            END IF;
        END LOOP;
    END LOOP;
    RETURN v_made;
END $$;
COMMENT ON FUNCTION orders.ensure_partitions IS 'Makes the months of orders, lines and events ahead; how many partitions were made.';

SELECT orders.ensure_partitions();

RESET ROLE;
