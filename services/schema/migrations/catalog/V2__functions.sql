-- What one statement can't say: writing thousands of products in one call, and keeping the categories a tree.
SET LOCAL ROLE catalog_owner;

-- Adds up to some thousand products, and if p_policy is 'update' changes those whose SKU exists. p_policy: reject, skip or update.
-- One row of the answer for each row given, n counted from 1; outcome and id:
--   created             added, under the id given
--   updated             changed; the id it had
--   unchanged           nothing to change, or not allowed to by skip; the id it had
--   sku_taken           the SKU exists and p_policy is reject; no id
--   category_not_found  no id
-- The SKUs of one call must differ (21000 otherwise). Locks: categories by id, then products by SKU, both byte by byte. Rows that need no change
-- are filtered out before the INSERT, for ON CONFLICT ... WHERE false would still lock and dirty each of them.
-- Planned with the arrays at hand: a generic plan takes them for ten elements and joins thousands by nested loops.
CREATE FUNCTION catalog.put_products(
    p_ids uuid[], p_skus text[], p_names text[], p_descriptions text[], p_brands text[], p_categories text[],
    p_prices bigint[], p_currencies text[], p_units text[], p_actives boolean[], p_policy text, p_now timestamptz, p_by uuid)
RETURNS TABLE (n integer, outcome text, id uuid) LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    v_created uuid[];
BEGIN
    IF p_policy NOT IN ('reject', 'skip', 'update') THEN
        RAISE invalid_parameter_value USING MESSAGE = 'p_policy must be reject, skip or update';
    END IF;
    -- No category may vanish before the products that name it are in.
    PERFORM FROM catalog.categories c WHERE c.id = ANY (p_categories) ORDER BY c.id FOR KEY SHARE;

    WITH given AS MATERIALIZED (
        SELECT g.* FROM unnest(p_ids, p_skus, p_names, p_descriptions, p_brands, p_categories, p_prices, p_currencies, p_units, p_actives)
               AS g (id, sku, name, description, brand, category_id, price_minor, currency, unit, active)
          JOIN catalog.categories c ON c.id = g.category_id
    ), wanted AS MATERIALIZED (
        SELECT g.* FROM given g LEFT JOIN catalog.products p ON p.sku = g.sku
         WHERE p.sku IS NULL
            OR (p_policy = 'update'
                AND (p.name, p.description, p.brand, p.category_id, p.price_minor, p.currency, p.unit, p.active)
                    IS DISTINCT FROM (g.name, g.description, g.brand, g.category_id, g.price_minor, g.currency, g.unit, g.active))
    ), written AS (
        INSERT INTO catalog.products AS p
               (id, sku, name, description, brand, category_id, price_minor, currency, unit, active, created_at, updated_at, updated_by)
        SELECT w.id, w.sku, w.name, w.description, w.brand, w.category_id, w.price_minor, w.currency, w.unit, w.active, p_now, p_now, p_by
          FROM wanted w ORDER BY w.sku COLLATE "C"
        ON CONFLICT ON CONSTRAINT products_sku_key DO UPDATE
           SET name = excluded.name, description = excluded.description, brand = excluded.brand, category_id = excluded.category_id,
               price_minor = excluded.price_minor, currency = excluded.currency, unit = excluded.unit, active = excluded.active,
               version = p.version + 1, updated_at = excluded.updated_at, updated_by = excluded.updated_by
         WHERE p_policy = 'update'
        RETURNING p.id
    )
    SELECT coalesce(array_agg(w.id), '{}') INTO v_created FROM written w;

    -- A statement of its own, with a new snapshot: a row that somebody else added meanwhile is visible only now. An id that was
    -- written is either the one given (a new row) or the one the SKU had.
    RETURN QUERY
    SELECT g.n::integer,
           CASE WHEN c.id IS NULL THEN 'category_not_found'
                WHEN w.id = g.id THEN 'created'
                WHEN w.id IS NOT NULL THEN 'updated'
                WHEN p_policy = 'reject' THEN 'sku_taken'
                ELSE 'unchanged' END,
           CASE WHEN c.id IS NOT NULL AND (w.id IS NOT NULL OR p_policy <> 'reject') THEN p.id END
      FROM unnest(p_ids, p_skus, p_categories) WITH ORDINALITY AS g (id, sku, category_id, n)
      LEFT JOIN catalog.categories c ON c.id = g.category_id
      LEFT JOIN catalog.products p ON p.sku = g.sku
      LEFT JOIN unnest(v_created) AS w (id) ON w.id = p.id
     ORDER BY g.n;
END $$;
COMMENT ON FUNCTION catalog.put_products IS 'Adds, and if asked updates, many products; what became of each.';

-- Whether p_id (new or existing) may stand below p_parent: ok, parent_not_found, or cycle (it would stand below itself, or the tree would be more
-- than ten levels deep). Call it before the INSERT or UPDATE in the same transaction: it locks the shape of the tree until the
-- end, or two moves at once could close a circle that neither sees.
CREATE FUNCTION catalog.check_category_parent(p_id text, p_parent text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_above integer;
    v_below integer;
    v_loop  boolean;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('catalog.categories', 0));
    IF p_parent IS NULL THEN
        v_above := 0;
        v_loop := false;
    ELSE
        WITH RECURSIVE above (id, parent_id, depth) AS (
            SELECT c.id, c.parent_id, 1 FROM catalog.categories c WHERE c.id = p_parent
            UNION ALL
            SELECT c.id, c.parent_id, a.depth + 1 FROM above a JOIN catalog.categories c ON c.id = a.parent_id WHERE a.depth < 20
        )
        SELECT count(*), coalesce(bool_or(a.id = p_id), false) INTO v_above, v_loop FROM above a;
        IF v_above = 0 THEN
            RETURN CASE WHEN p_parent = p_id THEN 'cycle' ELSE 'parent_not_found' END;
        END IF;
    END IF;
    WITH RECURSIVE below (id, depth) AS (
        SELECT p_id COLLATE "C", 1
        UNION ALL
        SELECT c.id, b.depth + 1 FROM below b JOIN catalog.categories c ON c.parent_id = b.id WHERE b.depth < 20
    )
    SELECT max(b.depth) INTO v_below FROM below b;
    RETURN CASE WHEN v_loop OR v_above + v_below > 10 THEN 'cycle' ELSE 'ok' END;
END $$;
COMMENT ON FUNCTION catalog.check_category_parent IS 'Whether a category may stand below another: ok, parent_not_found or cycle. Locks the tree.';

GRANT EXECUTE ON FUNCTION catalog.put_products, catalog.check_category_parent TO svc_catalog, svc_catalog_seller, svc_catalog_system;

RESET ROLE;
