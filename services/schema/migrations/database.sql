-- What this database allows, and the schemas. Not versioned: the rights on a database are not part of a dump and are not copied from
-- a template, so every `migrate` states them again.
DO $database$
DECLARE
    v_schema text;
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO svc_jobs, svc_catalog, svc_auth, svc_orders', current_database());
    IF to_regnamespace('public') IS NOT NULL THEN
        REVOKE ALL ON SCHEMA public FROM PUBLIC;
    END IF;

    FOREACH v_schema IN ARRAY ARRAY['sipup', 'jobs', 'catalog', 'auth', 'orders'] LOOP
        IF to_regnamespace(v_schema) IS NULL THEN
            EXECUTE format('CREATE SCHEMA %I AUTHORIZATION %I', v_schema, v_schema || '_owner');
        END IF;
        -- A new function is executable by everybody unless this is said before it is made.
        EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC', v_schema || '_owner');
        -- As refinery would make it, with its types; here it gets its comments.
        IF to_regclass(format('%I.migrations', v_schema)) IS NULL THEN
            EXECUTE format('CREATE TABLE %I.migrations (version int4 CONSTRAINT migrations_pkey PRIMARY KEY, name varchar(255), applied_on varchar(255), checksum varchar(255))', v_schema);
            EXECUTE format('COMMENT ON TABLE %I.migrations IS ''Migrations applied to this schema.''', v_schema);
            EXECUTE format('COMMENT ON COLUMN %I.migrations.version IS ''Number of the migration.''', v_schema);
            EXECUTE format('COMMENT ON COLUMN %I.migrations.name IS ''Its name.''', v_schema);
            EXECUTE format('COMMENT ON COLUMN %I.migrations.applied_on IS ''When it was applied, RFC 3339.''', v_schema);
            EXECUTE format('COMMENT ON COLUMN %I.migrations.checksum IS ''Hash of its text; a migration that was changed after it was applied is refused.''', v_schema);
        END IF;
    END LOOP;

    -- Using a schema shows nothing of it: tables and functions are granted one by one, by the migration that makes them.
    GRANT USAGE ON SCHEMA sipup TO
        jobs_owner, catalog_owner, auth_owner, orders_owner,
        svc_jobs, svc_jobs_seller, svc_jobs_system, svc_catalog, svc_catalog_seller, svc_catalog_system,
        svc_auth, svc_auth_seller, svc_auth_system, svc_orders, svc_orders_seller, svc_orders_system;
    GRANT USAGE ON SCHEMA jobs TO
        catalog_owner, auth_owner, orders_owner,
        svc_jobs, svc_jobs_seller, svc_jobs_system, svc_catalog, svc_catalog_seller, svc_catalog_system,
        svc_auth, svc_auth_seller, svc_auth_system, svc_orders, svc_orders_seller, svc_orders_system;
    GRANT USAGE ON SCHEMA auth TO
        svc_jobs, svc_jobs_seller, svc_jobs_system, svc_catalog, svc_catalog_seller, svc_catalog_system,
        svc_auth, svc_auth_seller, svc_auth_system, svc_orders, svc_orders_seller, svc_orders_system;
    GRANT USAGE ON SCHEMA catalog TO svc_catalog, svc_catalog_seller, svc_catalog_system, svc_jobs_system;
    GRANT USAGE ON SCHEMA orders TO svc_orders, svc_orders_seller, svc_orders_system, svc_jobs_system;
END $database$;
