-- Products and the tree of categories. Open to everybody, so without row-level security: its policies would keep text search from its indexes.
SET LOCAL ROLE catalog_owner;

COMMENT ON SCHEMA catalog IS 'What can be bought.';

CREATE TABLE catalog.categories (
    id         text        COLLATE "C" NOT NULL,
    parent_id  text        COLLATE "C",
    name       text        COLLATE "C" NOT NULL,
    version    bigint      NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by uuid,
    CONSTRAINT categories_pkey PRIMARY KEY (id),
    CONSTRAINT categories_parent_fk FOREIGN KEY (parent_id) REFERENCES catalog.categories (id),
    CONSTRAINT categories_id_is_slug CHECK (id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    CONSTRAINT categories_not_own_parent CHECK (parent_id <> id),
    CONSTRAINT categories_name_bounded CHECK (char_length(name) BETWEEN 1 AND 100),
    CONSTRAINT categories_version_positive CHECK (version > 0)
);
COMMENT ON TABLE catalog.categories IS 'The shelves of the catalogue: a tree of at most ten levels.';
COMMENT ON COLUMN catalog.categories.id IS 'Slug, chosen by whoever adds the category; never changed.';
COMMENT ON COLUMN catalog.categories.parent_id IS 'The category above; NULL: at the top.';
COMMENT ON COLUMN catalog.categories.name IS 'Name shown to people.';
COMMENT ON COLUMN catalog.categories.version IS 'Counts the changes; the etag.';
COMMENT ON COLUMN catalog.categories.created_at IS 'When the category was added.';
COMMENT ON COLUMN catalog.categories.updated_at IS 'When it was last changed.';
COMMENT ON COLUMN catalog.categories.updated_by IS 'The user who last changed it; NULL: the system.';
CREATE INDEX categories_parent ON catalog.categories (parent_id);

CREATE TABLE catalog.products (
    id          uuid        NOT NULL,
    sku         text        COLLATE "C" NOT NULL,
    name        text        COLLATE "C" NOT NULL,
    description text        NOT NULL DEFAULT '',
    brand       text        COLLATE "C" NOT NULL DEFAULT '',
    category_id text        COLLATE "C" NOT NULL,
    price_minor bigint      NOT NULL,
    currency    text        COLLATE "C" NOT NULL,
    unit        text        NOT NULL DEFAULT 'piece',
    active      boolean     NOT NULL DEFAULT true,
    version     bigint      NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    updated_by  uuid,
    CONSTRAINT products_pkey PRIMARY KEY (id),
    CONSTRAINT products_sku_key UNIQUE (sku),
    CONSTRAINT products_category_fk FOREIGN KEY (category_id) REFERENCES catalog.categories (id),
    CONSTRAINT products_id_is_v7 CHECK (uuid_extract_version(id) = 7),
    CONSTRAINT products_sku_is_article_number CHECK (sku ~ '^[A-Za-z0-9][A-Za-z0-9.+_/-]{0,63}$'),
    CONSTRAINT products_name_bounded CHECK (char_length(name) BETWEEN 1 AND 200),
    CONSTRAINT products_description_bounded CHECK (char_length(description) <= 20000),
    CONSTRAINT products_brand_bounded CHECK (char_length(brand) <= 100),
    CONSTRAINT products_unit_bounded CHECK (char_length(unit) BETWEEN 1 AND 40),
    CONSTRAINT products_price_in_range CHECK (price_minor BETWEEN 0 AND 1000000000000),
    CONSTRAINT products_currency_is_iso CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT products_version_positive CHECK (version > 0)
) WITH (fillfactor = 85);
COMMENT ON TABLE catalog.products IS 'What can be ordered.';
COMMENT ON COLUMN catalog.products.id IS 'UUIDv7, given by the service.';
COMMENT ON COLUMN catalog.products.sku IS 'Article number that buyers order by; compared byte by byte, never changed.';
COMMENT ON COLUMN catalog.products.name IS 'Name shown to people; sorted byte by byte.';
COMMENT ON COLUMN catalog.products.description IS 'Plain text.';
COMMENT ON COLUMN catalog.products.brand IS 'The maker; empty: not said.';
COMMENT ON COLUMN catalog.products.category_id IS 'The category that the product stands in.';
COMMENT ON COLUMN catalog.products.price_minor IS 'List price of one unit, in minor units of currency.';
COMMENT ON COLUMN catalog.products.currency IS 'ISO 4217 code of the price.';
COMMENT ON COLUMN catalog.products.unit IS 'Unit of sale.';
COMMENT ON COLUMN catalog.products.active IS 'Whether the product can be ordered.';
COMMENT ON COLUMN catalog.products.version IS 'Counts the changes; the etag.';
COMMENT ON COLUMN catalog.products.created_at IS 'When the product was added.';
COMMENT ON COLUMN catalog.products.updated_at IS 'When it was last changed.';
COMMENT ON COLUMN catalog.products.updated_by IS 'The user who last changed it; NULL: the system.';
-- Lists go by keyset; each ends in something unique. By SKU the unique constraint serves.
CREATE INDEX products_name ON catalog.products (name, id);
CREATE INDEX products_price ON catalog.products (price_minor, id);
CREATE INDEX products_category ON catalog.products (category_id, sku);
CREATE INDEX products_brand ON catalog.products (brand, sku);

-- Unique over all time, so it can't be partitioned by time; eight hash partitions keep vacuum and the deletion of old rows small.
CREATE TABLE catalog.idempotency (
    company_id uuid        NOT NULL,
    method     text        COLLATE "C" NOT NULL,
    key        text        COLLATE "C" NOT NULL,
    body_hash  bytea       NOT NULL,
    response   bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT idempotency_pkey PRIMARY KEY (company_id, method, key),
    CONSTRAINT idempotency_key_bounded CHECK (octet_length(key) BETWEEN 1 AND 128)
) PARTITION BY HASH (company_id, method, key);
COMMENT ON TABLE catalog.idempotency IS 'Requests already carried out, with their answers; kept 30 days.';
COMMENT ON COLUMN catalog.idempotency.company_id IS 'The company of the caller; all zeros for callers without one.';
COMMENT ON COLUMN catalog.idempotency.method IS 'Name of the rpc.';
COMMENT ON COLUMN catalog.idempotency.key IS 'The caller''s key of the request.';
COMMENT ON COLUMN catalog.idempotency.body_hash IS 'Hash of the request without its key; another body under the same key is refused.';
COMMENT ON COLUMN catalog.idempotency.response IS 'The encoded answer; NULL only inside the transaction that carries the request out.';
COMMENT ON COLUMN catalog.idempotency.created_at IS 'When the request was carried out.';
DO $$ BEGIN
    FOR i IN 0..7 LOOP
        EXECUTE format('CREATE TABLE catalog.idempotency_%s PARTITION OF catalog.idempotency FOR VALUES WITH (MODULUS 8, REMAINDER %s)', i, i);
    END LOOP;
END $$;
CREATE INDEX idempotency_created ON catalog.idempotency USING brin (created_at) WITH (pages_per_range = 32, autosummarize = on);

-- Deletes up to p_limit rows older than 30 days; call it until it answers 0. Joined by the key: ctid is not unique over partitions.
CREATE FUNCTION catalog.delete_old_idempotency(p_limit integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH old AS MATERIALIZED (
        SELECT i.company_id, i.method, i.key FROM catalog.idempotency i
         WHERE i.created_at < now() - interval '30 days' LIMIT p_limit FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM catalog.idempotency i USING old
         WHERE i.company_id = old.company_id AND i.method = old.method AND i.key = old.key RETURNING 1
    )
    SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION catalog.delete_old_idempotency IS 'Deletes up to p_limit rows older than 30 days; how many.';

GRANT SELECT, INSERT, UPDATE, DELETE ON catalog.categories, catalog.products TO svc_catalog, svc_catalog_seller, svc_catalog_system;
GRANT SELECT, INSERT, UPDATE (response) ON catalog.idempotency TO svc_catalog, svc_catalog_seller, svc_catalog_system;
GRANT EXECUTE ON FUNCTION catalog.delete_old_idempotency TO svc_catalog_system, svc_jobs_system;

RESET ROLE;
