-- What a company pays: price lists, their prices, and which company has which list. Known to the company and to the seller alone, so
-- these tables have row-level security; products have none, and a statement that joins both is held back only where it touches these.
SET LOCAL ROLE catalog_owner;

CREATE TABLE catalog.price_lists (
    id         text        COLLATE "C" NOT NULL,
    name       text        COLLATE "C" NOT NULL,
    currency   text        COLLATE "C" NOT NULL,
    version    bigint      NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by uuid,
    CONSTRAINT price_lists_pkey PRIMARY KEY (id),
    CONSTRAINT price_lists_id_is_slug CHECK (id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    CONSTRAINT price_lists_name_bounded CHECK (char_length(name) BETWEEN 1 AND 100),
    CONSTRAINT price_lists_currency_is_iso CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT price_lists_version_positive CHECK (version > 0)
);
COMMENT ON TABLE catalog.price_lists IS 'Prices that were agreed with one company or with many.';
COMMENT ON COLUMN catalog.price_lists.id IS 'Slug, chosen by whoever adds the list; never changed.';
COMMENT ON COLUMN catalog.price_lists.name IS 'Name shown to the seller''s staff.';
COMMENT ON COLUMN catalog.price_lists.currency IS 'ISO 4217 code of its prices; never changed.';
COMMENT ON COLUMN catalog.price_lists.version IS 'Counts the changes of this row, not of the prices; the etag.';
COMMENT ON COLUMN catalog.price_lists.created_at IS 'When the list was added.';
COMMENT ON COLUMN catalog.price_lists.updated_at IS 'When this row was last changed.';
COMMENT ON COLUMN catalog.price_lists.updated_by IS 'The user who last changed it; NULL: the system.';

-- By SKU, which never changes and which items name, so that the price of an item is one look-up. The key holds the price too: most of
-- these rows are read far more often than they are set, and then the table need not be touched.
CREATE TABLE catalog.prices (
    price_list_id text        COLLATE "C" NOT NULL,
    sku           text        COLLATE "C" NOT NULL,
    min_quantity  integer     NOT NULL,
    price_minor   bigint      NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    updated_by    uuid,
    CONSTRAINT prices_pkey PRIMARY KEY (price_list_id, sku, min_quantity) INCLUDE (price_minor),
    CONSTRAINT prices_price_list_fk FOREIGN KEY (price_list_id) REFERENCES catalog.price_lists (id) ON DELETE CASCADE,
    CONSTRAINT prices_product_fk FOREIGN KEY (sku) REFERENCES catalog.products (sku) ON DELETE CASCADE,
    CONSTRAINT prices_min_quantity_in_range CHECK (min_quantity BETWEEN 1 AND 1000000),
    CONSTRAINT prices_price_in_range CHECK (price_minor BETWEEN 0 AND 1000000000000)
);
COMMENT ON TABLE catalog.prices IS 'Prices of a list; of those of one SKU, the one with the largest min_quantity that is not above the quantity holds.';
COMMENT ON COLUMN catalog.prices.price_list_id IS 'The price list.';
COMMENT ON COLUMN catalog.prices.sku IS 'SKU of the product.';
COMMENT ON COLUMN catalog.prices.min_quantity IS 'The smallest quantity of one item that has the price.';
COMMENT ON COLUMN catalog.prices.price_minor IS 'Price of one unit, in minor units of the list''s currency; no price while the product is priced in another one.';
COMMENT ON COLUMN catalog.prices.created_at IS 'When the price was added.';
COMMENT ON COLUMN catalog.prices.updated_at IS 'When it was last set.';
COMMENT ON COLUMN catalog.prices.updated_by IS 'The user who last set it; NULL: the system.';
-- For the foreign key: a product that is removed takes its prices along.
CREATE INDEX prices_sku ON catalog.prices (sku);

CREATE TABLE catalog.company_price_lists (
    company_id    uuid        NOT NULL,
    price_list_id text        COLLATE "C" NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    updated_by    uuid,
    CONSTRAINT company_price_lists_pkey PRIMARY KEY (company_id),
    CONSTRAINT company_price_lists_price_list_fk FOREIGN KEY (price_list_id) REFERENCES catalog.price_lists (id)
);
COMMENT ON TABLE catalog.company_price_lists IS 'The price list of each company that has one.';
COMMENT ON COLUMN catalog.company_price_lists.company_id IS 'The company, known to auth.';
COMMENT ON COLUMN catalog.company_price_lists.price_list_id IS 'Its price list, which can''t be removed as long as a company has it.';
COMMENT ON COLUMN catalog.company_price_lists.created_at IS 'When the company was first given a list.';
COMMENT ON COLUMN catalog.company_price_lists.updated_at IS 'When it was given this one.';
COMMENT ON COLUMN catalog.company_price_lists.updated_by IS 'The user who gave it; NULL: the system.';
CREATE INDEX company_price_lists_price_list ON catalog.company_price_lists (price_list_id, company_id);

-- Sets the prices of one list, or removes those whose price is NULL. One row of the answer for each row given, n counted from 1; outcome:
--   created, updated, unchanged, removed
--   product_not_found   no product has the SKU
--   currency_mismatch   price, list and product are not in one currency
-- Pairs of SKU and min_quantity of one call must differ (21000 otherwise), and the caller holds the list FOR NO KEY UPDATE: so a list has
-- one writer at a time. Then products are held by SKU, byte by byte: one that is being removed takes its prices along afterwards.
-- Planned with the arrays at hand, as put_products.
CREATE FUNCTION catalog.set_prices(
    p_list text, p_skus text[], p_min_quantities integer[], p_prices bigint[], p_currencies text[], p_now timestamptz, p_by uuid)
RETURNS TABLE (n integer, outcome text) LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan AS $$
BEGIN
    PERFORM FROM catalog.products p WHERE p.sku = ANY (p_skus) ORDER BY p.sku FOR KEY SHARE;

    RETURN QUERY
    WITH given AS MATERIALIZED (
        SELECT g.n::integer AS n, g.sku, g.min_quantity, g.price_minor, p.sku IS NOT NULL AS known,
               g.currency = l.currency AND p.currency = l.currency AS fits, c.price_minor AS before
          FROM unnest(p_skus, p_min_quantities, p_prices, p_currencies) WITH ORDINALITY AS g (sku, min_quantity, price_minor, currency, n)
          JOIN catalog.price_lists l ON l.id = p_list
          LEFT JOIN catalog.products p ON p.sku = g.sku
          LEFT JOIN catalog.prices c ON c.price_list_id = p_list AND c.sku = g.sku AND c.min_quantity = g.min_quantity
    ), placed AS (
        INSERT INTO catalog.prices AS c (price_list_id, sku, min_quantity, price_minor, created_at, updated_at, updated_by)
        SELECT p_list, g.sku, g.min_quantity, g.price_minor, p_now, p_now, p_by
          FROM given g
         WHERE g.fits AND g.price_minor IS DISTINCT FROM g.before AND g.price_minor IS NOT NULL
        ON CONFLICT ON CONSTRAINT prices_pkey DO UPDATE
           SET price_minor = excluded.price_minor, updated_at = excluded.updated_at, updated_by = excluded.updated_by
    ), removed AS (
        DELETE FROM catalog.prices c USING given g
         WHERE c.price_list_id = p_list AND c.sku = g.sku AND c.min_quantity = g.min_quantity AND g.price_minor IS NULL
    )
    SELECT g.n,
           CASE WHEN NOT g.known THEN 'product_not_found'
                WHEN g.price_minor IS NULL THEN CASE WHEN g.before IS NULL THEN 'unchanged' ELSE 'removed' END
                WHEN NOT g.fits THEN 'currency_mismatch'
                WHEN g.before IS NULL THEN 'created'
                WHEN g.price_minor = g.before THEN 'unchanged'
                ELSE 'updated' END
      FROM given g
     ORDER BY g.n;
END $$;
COMMENT ON FUNCTION catalog.set_prices IS 'Sets and removes prices of a list; what became of each row.';

-- Gives companies their price list, in place of the one they had, or takes it away where the list is NULL. One row of the answer for
-- each row given, n counted from 1; outcome:
--   created, updated, unchanged, removed
--   price_list_not_found
-- The companies of one call must differ (21000 otherwise). One call at a time: what is added, changed and taken away are passes of their
-- own over the companies, and no order of rows would keep two calls from each other's way. Then price lists are held by id.
CREATE FUNCTION catalog.assign_price_lists(p_companies uuid[], p_lists text[], p_now timestamptz, p_by uuid)
RETURNS TABLE (n integer, outcome text) LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('catalog.company_price_lists', 0));
    -- No list may vanish before the companies that are given it have it.
    PERFORM FROM catalog.price_lists l WHERE l.id = ANY (p_lists) ORDER BY l.id FOR KEY SHARE;

    RETURN QUERY
    WITH given AS MATERIALIZED (
        SELECT g.n::integer AS n, g.company_id, g.price_list_id, l.id IS NOT NULL AS known, a.price_list_id AS before
          FROM unnest(p_companies, p_lists) WITH ORDINALITY AS g (company_id, price_list_id, n)
          LEFT JOIN catalog.price_lists l ON l.id = g.price_list_id
          LEFT JOIN catalog.company_price_lists a ON a.company_id = g.company_id
    ), placed AS (
        INSERT INTO catalog.company_price_lists AS a (company_id, price_list_id, created_at, updated_at, updated_by)
        SELECT g.company_id, g.price_list_id, p_now, p_now, p_by
          FROM given g
         WHERE g.known AND g.price_list_id IS DISTINCT FROM g.before
        ON CONFLICT ON CONSTRAINT company_price_lists_pkey DO UPDATE
           SET price_list_id = excluded.price_list_id, updated_at = excluded.updated_at, updated_by = excluded.updated_by
    ), removed AS (
        DELETE FROM catalog.company_price_lists a USING given g
         WHERE a.company_id = g.company_id AND g.price_list_id IS NULL
    )
    SELECT g.n,
           CASE WHEN g.price_list_id IS NOT DISTINCT FROM g.before THEN 'unchanged'
                WHEN g.price_list_id IS NULL THEN 'removed'
                WHEN NOT g.known THEN 'price_list_not_found'
                WHEN g.before IS NULL THEN 'created'
                ELSE 'updated' END
      FROM given g
     ORDER BY g.n;
END $$;
COMMENT ON FUNCTION catalog.assign_price_lists IS 'Gives companies their price lists; what became of each row.';

-- A company sees its own list and the prices in it. The scalar subqueries are run once for each statement, and leave the keys of the
-- tables to be used.
DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['price_lists', 'prices', 'company_price_lists'] LOOP
        EXECUTE format('ALTER TABLE catalog.%I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('ALTER TABLE catalog.%I FORCE ROW LEVEL SECURITY', v_table);
        EXECUTE format('CREATE POLICY all_companies ON catalog.%I TO svc_catalog_seller, svc_catalog_system, catalog_owner
            USING (true) WITH CHECK (true)', v_table);
    END LOOP;
END $$;
CREATE POLICY own_company ON catalog.company_price_lists FOR SELECT TO svc_catalog
    USING (company_id = (SELECT current_setting('sipup.company_id')::uuid));
CREATE POLICY own_company ON catalog.price_lists FOR SELECT TO svc_catalog
    USING (id = (SELECT a.price_list_id FROM catalog.company_price_lists a
                  WHERE a.company_id = (SELECT current_setting('sipup.company_id')::uuid)));
CREATE POLICY own_company ON catalog.prices FOR SELECT TO svc_catalog
    USING (price_list_id = (SELECT a.price_list_id FROM catalog.company_price_lists a
                             WHERE a.company_id = (SELECT current_setting('sipup.company_id')::uuid)));

GRANT SELECT ON catalog.price_lists, catalog.prices, catalog.company_price_lists TO svc_catalog;
GRANT SELECT, INSERT, DELETE, UPDATE (name, version, updated_at, updated_by) ON catalog.price_lists TO svc_catalog_seller, svc_catalog_system;
GRANT SELECT, INSERT, DELETE, UPDATE (price_minor, updated_at, updated_by) ON catalog.prices TO svc_catalog_seller, svc_catalog_system;
GRANT SELECT, INSERT, DELETE, UPDATE (price_list_id, updated_at, updated_by) ON catalog.company_price_lists TO svc_catalog_seller, svc_catalog_system;
GRANT EXECUTE ON FUNCTION catalog.set_prices, catalog.assign_price_lists TO svc_catalog_seller, svc_catalog_system;

RESET ROLE;
