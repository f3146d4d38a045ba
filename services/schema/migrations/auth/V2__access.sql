-- Who sees and does what in auth. Register, log-in, refresh and log-out run as svc_auth_system, for nobody is known yet; a company sees
-- its own people, never their password hashes; the seller's staff see all of them.
SET LOCAL ROLE auth_owner;

-- The setting is read once per statement, as a scalar subquery. Unset, it raises instead of showing nothing.
DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['companies', 'users', 'sessions', 'idempotency'] LOOP
        EXECUTE format('ALTER TABLE auth.%I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('ALTER TABLE auth.%I FORCE ROW LEVEL SECURITY', v_table);
        EXECUTE format('CREATE POLICY own_company ON auth.%I TO svc_auth
            USING (%I = (SELECT current_setting(''sipup.company_id'')::uuid))
            WITH CHECK (%I = (SELECT current_setting(''sipup.company_id'')::uuid))',
            v_table, CASE v_table WHEN 'companies' THEN 'id' ELSE 'company_id' END, CASE v_table WHEN 'companies' THEN 'id' ELSE 'company_id' END);
        EXECUTE format('CREATE POLICY all_companies ON auth.%I TO svc_auth_seller, svc_auth_system, auth_owner
            USING (true) WITH CHECK (true)', v_table);
    END LOOP;
END $$;

-- Sessions ended at or after p_since. Every pod of every service polls this with "now - life of an access token": the set stays small,
-- and a row that was committed late is still in it at the next poll.
CREATE FUNCTION auth.revoked_sessions(p_since timestamptz) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.id FROM auth.sessions s WHERE s.revoked_at >= p_since
$$;
COMMENT ON FUNCTION auth.revoked_sessions IS 'Ids of the sessions ended at or after p_since.';

GRANT SELECT ON auth.companies, auth.sessions TO svc_auth, svc_auth_seller, svc_auth_system;
GRANT SELECT (id, company_id, email, email_key, display_name, role, locked_until, created_at, updated_at, updated_by) ON auth.users
    TO svc_auth, svc_auth_seller;
GRANT SELECT ON auth.users TO svc_auth_system;
GRANT INSERT, UPDATE ON auth.companies, auth.users TO svc_auth_system;
GRANT INSERT, UPDATE, DELETE ON auth.sessions TO svc_auth_system;
GRANT EXECUTE ON FUNCTION auth.revoked_sessions TO
    svc_jobs, svc_jobs_seller, svc_jobs_system, svc_catalog, svc_catalog_seller, svc_catalog_system,
    svc_auth, svc_auth_seller, svc_auth_system, svc_orders, svc_orders_seller, svc_orders_system;
GRANT SELECT, INSERT, UPDATE (response) ON auth.idempotency TO svc_auth, svc_auth_seller, svc_auth_system;
GRANT EXECUTE ON FUNCTION auth.delete_old_idempotency TO svc_auth_system, svc_jobs_system;

RESET ROLE;
