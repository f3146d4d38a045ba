-- Who sees and does what with orders. A company sees and cancels its own; the seller's staff and jobs see all. Nothing is granted on
-- partitions: policies hold only through the parent.
SET LOCAL ROLE orders_owner;

-- The setting is read once per statement, as a scalar subquery. Unset, it raises instead of showing an empty shop.
DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['orders', 'order_lines', 'order_events', 'idempotency'] LOOP
        EXECUTE format('ALTER TABLE orders.%I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('ALTER TABLE orders.%I FORCE ROW LEVEL SECURITY', v_table);
        EXECUTE format('CREATE POLICY own_company ON orders.%I TO svc_orders
            USING (company_id = (SELECT current_setting(''sipup.company_id'')::uuid))
            WITH CHECK (company_id = (SELECT current_setting(''sipup.company_id'')::uuid))', v_table);
        EXECUTE format('CREATE POLICY all_companies ON orders.%I TO svc_orders_seller, svc_orders_system, orders_owner
            USING (true) WITH CHECK (true)', v_table);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE (state, cancelled_reason, updated_at, updated_by) ON orders.orders TO svc_orders, svc_orders_seller, svc_orders_system;
GRANT SELECT, INSERT ON orders.order_lines, orders.order_events TO svc_orders, svc_orders_seller, svc_orders_system;
GRANT SELECT, UPDATE (on_hand, updated_at) ON orders.stock TO svc_orders;
GRANT SELECT, INSERT, UPDATE (on_hand, updated_at, updated_by) ON orders.stock TO svc_orders_seller, svc_orders_system;
GRANT EXECUTE ON FUNCTION orders.check_order_id, orders.enqueue, orders.cancel_order TO svc_orders, svc_orders_seller, svc_orders_system;
GRANT EXECUTE ON FUNCTION orders.create_order TO svc_orders, svc_orders_system;
GRANT EXECUTE ON FUNCTION orders.ship_order, orders.adjust_stock TO svc_orders_seller, svc_orders_system;
GRANT EXECUTE ON FUNCTION orders.ensure_partitions TO svc_orders_system, svc_jobs_system;
GRANT SELECT, INSERT, UPDATE (response) ON orders.idempotency TO svc_orders, svc_orders_seller, svc_orders_system;
GRANT EXECUTE ON FUNCTION orders.delete_old_idempotency TO svc_orders_system, svc_jobs_system;

RESET ROLE;
