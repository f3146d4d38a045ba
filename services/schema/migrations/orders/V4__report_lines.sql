-- What a report of orders is made of.
SET LOCAL ROLE orders_owner;

-- The lines of the next p_limit orders behind the order p_after (NULL: from the first) that p_company (NULL: any) placed in
-- [p_from, p_to), by order and line. Whole orders: a line never comes with another state than the one before it, and none is left
-- for the next page. An order without lines has one row with NULLs, so that a page that is empty is the last.
--
-- Orders are chosen by the time that was written down; the id, which the same clock made in the same call, only bounds the search and
-- may be an hour off. The lateral keeps the planner from joining all lines of all months: it doesn't believe in small pages.
CREATE FUNCTION orders.report_lines(p_company uuid, p_from timestamptz, p_to timestamptz, p_after uuid, p_limit integer)
RETURNS TABLE (order_id uuid, company_id uuid, state smallint, created_at timestamptz, purchase_order_number text, line_no smallint,
               sku text, name text, quantity integer, price_minor bigint, currency text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    v_after  uuid := greatest(p_after, sipup.uuidv7_floor(p_from - interval '1 hour'));
    v_before uuid := sipup.uuidv7_floor(p_to + interval '1 hour');
BEGIN
    IF p_company IS NULL THEN
        RETURN QUERY
        WITH page AS MATERIALIZED (
            SELECT o.id, o.company_id, o.state, o.created_at, o.purchase_order_number, o.currency FROM orders.orders o
             WHERE o.id > v_after AND o.id < v_before AND o.created_at >= p_from AND o.created_at < p_to
             ORDER BY o.id LIMIT p_limit
        )
        SELECT p.id, p.company_id, p.state, p.created_at, p.purchase_order_number, l.line_no, l.sku, l.name, l.quantity, l.price_minor, p.currency
          FROM page p LEFT JOIN LATERAL (
            SELECT i.line_no, i.sku, i.name, i.quantity, i.price_minor FROM orders.order_lines i WHERE i.order_id = p.id ORDER BY i.line_no) AS l ON true
         ORDER BY p.id, l.line_no;
    ELSE
        RETURN QUERY
        WITH page AS MATERIALIZED (
            SELECT o.id, o.company_id, o.state, o.created_at, o.purchase_order_number, o.currency FROM orders.orders o
             WHERE o.company_id = p_company AND o.id > v_after AND o.id < v_before AND o.created_at >= p_from AND o.created_at < p_to
             ORDER BY o.id LIMIT p_limit
        )
        SELECT p.id, p.company_id, p.state, p.created_at, p.purchase_order_number, l.line_no, l.sku, l.name, l.quantity, l.price_minor, p.currency
          FROM page p LEFT JOIN LATERAL (
            SELECT i.line_no, i.sku, i.name, i.quantity, i.price_minor FROM orders.order_lines i WHERE i.order_id = p.id ORDER BY i.line_no) AS l ON true
         ORDER BY p.id, l.line_no;
    END IF;
END $$;
COMMENT ON FUNCTION orders.report_lines IS 'The lines of the next p_limit orders of a period, behind an order; of one company or of all.';
GRANT EXECUTE ON FUNCTION orders.report_lines TO svc_jobs_system;

RESET ROLE;
