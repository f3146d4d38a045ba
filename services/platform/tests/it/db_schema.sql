-- What the tests of the database handle work on, beside the real schemas.
CREATE TABLE orders.notes (
    id         bigint CONSTRAINT notes_pkey PRIMARY KEY,
    parent_id  bigint CONSTRAINT notes_parent_fkey REFERENCES orders.notes,
    company_id uuid   NOT NULL,
    weight     int    NOT NULL CONSTRAINT notes_weight_positive CHECK (weight > 0),
    rank       int    CONSTRAINT notes_rank_key UNIQUE DEFERRABLE INITIALLY DEFERRED
);
ALTER TABLE orders.notes ENABLE ROW LEVEL SECURITY;
ALTER TABLE orders.notes FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON orders.notes TO svc_orders
    USING (company_id = (SELECT current_setting('sipup.company_id')::uuid))
    WITH CHECK (company_id = (SELECT current_setting('sipup.company_id')::uuid));
CREATE POLICY every_seller ON orders.notes TO svc_orders_seller USING (true) WITH CHECK (true);
CREATE POLICY every_system ON orders.notes TO svc_orders_system USING (true) WITH CHECK (true);

CREATE TABLE orders.counters (name text PRIMARY KEY, value bigint NOT NULL);
INSERT INTO orders.counters SELECT 'c' || n, 0 FROM generate_series(0, 99) AS n;

GRANT SELECT, INSERT, UPDATE, DELETE ON orders.notes, orders.counters TO svc_orders, svc_orders_seller, svc_orders_system;

-- Counts its calls, whatever becomes of their transactions.
CREATE SEQUENCE orders.calls;
GRANT USAGE, SELECT ON SEQUENCE orders.calls TO svc_orders;

-- Fails with p_state until it has been called p_times.
CREATE FUNCTION orders.fail_first(p_times bigint, p_state text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_call bigint := nextval('orders.calls');
BEGIN
    IF v_call <= p_times THEN
        RAISE EXCEPTION 'failing on purpose' USING ERRCODE = p_state;
    END IF;
    RETURN v_call;
END $$;

-- Ends the server's side of a connection while it commits.
CREATE TABLE orders.last_words (id bigint PRIMARY KEY);
GRANT SELECT, INSERT ON orders.last_words TO svc_orders;
CREATE FUNCTION orders.end_backend() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM nextval('orders.calls');
    PERFORM pg_terminate_backend(pg_backend_pid());
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER last_words AFTER INSERT ON orders.last_words
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION orders.end_backend();
