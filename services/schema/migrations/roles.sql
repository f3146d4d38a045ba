-- Roles. They belong to the whole server, not to one database, so they carry no version: every `migrate` runs this file, and it
-- changes only what differs. Two databases may be migrated at once: a role that appears meanwhile is welcome, and "tuple
-- concurrently updated" is retried by the caller. Reads the setting sipup.connection_limit.
--
--   <schema>_owner                  owns everything in the schema; nobody logs in as it
--   svc_<schema>                    what the service logs in as: one company at a time where rows have a company
--   svc_<schema>_seller, _system    taken by SET LOCAL ROLE for one transaction: all companies
DO $roles$
DECLARE
    v_schema   text;
    v_role     text;
    v_setting  text;
    v_wanted   text[];
    v_limit    integer := current_setting('sipup.connection_limit')::integer;
BEGIN
    FOR v_role IN
        SELECT s || '_owner' FROM unnest(ARRAY['sipup', 'jobs', 'catalog', 'auth', 'orders']) AS s
        UNION ALL
        SELECT 'svc_' || s || suffix
          FROM unnest(ARRAY['jobs', 'catalog', 'auth', 'orders']) AS s, unnest(ARRAY['', '_seller', '_system']) AS suffix
    LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = v_role);
        BEGIN
            EXECUTE format('CREATE ROLE %I', v_role);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END;
    END LOOP;

    -- Migrations create objects as their owner; a superuser may already, any other admin needs to be told.
    FOR v_role IN SELECT s || '_owner' FROM unnest(ARRAY['sipup', 'jobs', 'catalog', 'auth', 'orders']) AS s LOOP
        CONTINUE WHEN pg_has_role(current_user, v_role, 'SET') AND pg_has_role(current_user, v_role, 'USAGE');
        EXECUTE format('GRANT %I TO CURRENT_USER WITH INHERIT TRUE, SET TRUE', v_role);
    END LOOP;

    -- Without it sipup.replay_position() reads a replica's timeline from its last checkpoint, which is late by up to one of those.
    IF NOT pg_has_role('sipup_owner', 'pg_read_all_stats', 'USAGE') THEN
        BEGIN
            GRANT pg_read_all_stats TO sipup_owner;
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE WARNING 'pg_read_all_stats could not be granted to sipup_owner';
        END;
    END IF;

    FOREACH v_schema IN ARRAY ARRAY['jobs', 'catalog', 'auth', 'orders'] LOOP
        v_role := 'svc_' || v_schema;
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = v_role AND rolcanlogin AND rolconnlimit = v_limit) THEN
            EXECUTE format('ALTER ROLE %I LOGIN CONNECTION LIMIT %s', v_role, v_limit);
        END IF;

        v_wanted := ARRAY[
            'search_path=' || v_schema || ', pg_catalog, pg_temp',
            -- Point reads of partitioned tables spend more on planning than on reading; "auto" never stops re-planning them.
            'plan_cache_mode=force_generic_plan',
            'statement_timeout=60s',
            'idle_in_transaction_session_timeout=60s'];
        FOREACH v_setting IN ARRAY v_wanted LOOP
            CONTINUE WHEN EXISTS (
                SELECT FROM pg_db_role_setting d
                 WHERE d.setdatabase = 0 AND d.setrole = v_role::regrole AND v_setting = ANY (d.setconfig));
            -- The value of search_path is a list of identifiers and must not be quoted as one.
            EXECUTE format('ALTER ROLE %I SET %I = ', v_role, split_part(v_setting, '=', 1))
                    || CASE WHEN v_setting LIKE 'search_path=%' THEN split_part(v_setting, '=', 2)
                            ELSE quote_literal(split_part(v_setting, '=', 2)) END;
        END LOOP;

        -- INHERIT FALSE: policies and grants of the wider roles hold only after SET ROLE, never by mere membership.
        FOREACH v_setting IN ARRAY ARRAY['_seller', '_system'] LOOP
            CONTINUE WHEN EXISTS (
                SELECT FROM pg_auth_members m
                 WHERE m.roleid = (v_role || v_setting)::regrole AND m.member = v_role::regrole AND m.set_option AND NOT m.inherit_option);
            EXECUTE format('GRANT %I TO %I WITH INHERIT FALSE, SET TRUE', v_role || v_setting, v_role);
        END LOOP;
    END LOOP;
END $roles$;
