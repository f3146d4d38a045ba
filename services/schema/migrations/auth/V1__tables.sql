-- Companies, their users and sessions. Signing keys live in files, not here.
SET LOCAL ROLE auth_owner;

COMMENT ON SCHEMA auth IS 'Who is calling.';

CREATE TABLE auth.companies (
    id         uuid        NOT NULL,
    name       text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by uuid,
    CONSTRAINT companies_pkey PRIMARY KEY (id),
    CONSTRAINT companies_id_is_v7 CHECK (uuid_extract_version(id) = 7),
    CONSTRAINT companies_name_bounded CHECK (char_length(name) BETWEEN 1 AND 200)
);
COMMENT ON TABLE auth.companies IS 'Companies that buy, and the seller''s own.';
COMMENT ON COLUMN auth.companies.id IS 'UUIDv7, given by the service.';
COMMENT ON COLUMN auth.companies.name IS 'Name of the company.';
COMMENT ON COLUMN auth.companies.created_at IS 'When the company was added.';
COMMENT ON COLUMN auth.companies.updated_at IS 'When it was last changed.';
COMMENT ON COLUMN auth.companies.updated_by IS 'The user who last changed it; NULL: the system.';

CREATE TABLE auth.users (
    id            uuid        NOT NULL,
    company_id    uuid        NOT NULL,
    email         text        NOT NULL,
    email_key     text        COLLATE "C" NOT NULL,
    password_hash text        NOT NULL,
    display_name  text        NOT NULL,
    role          text        COLLATE "C" NOT NULL,
    locked_until  timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    updated_by    uuid,
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_email_key_key UNIQUE (email_key),
    CONSTRAINT users_company_fk FOREIGN KEY (company_id) REFERENCES auth.companies (id),
    CONSTRAINT users_id_is_v7 CHECK (uuid_extract_version(id) = 7),
    CONSTRAINT users_email_bounded CHECK (octet_length(email) BETWEEN 3 AND 254 AND octet_length(email_key) BETWEEN 3 AND 1016),
    CONSTRAINT users_display_name_bounded CHECK (char_length(display_name) BETWEEN 1 AND 200),
    CONSTRAINT users_role_known CHECK (role IN ('buyer', 'approver', 'company_admin', 'seller'))
);
COMMENT ON TABLE auth.users IS 'People who act for a company.';
COMMENT ON COLUMN auth.users.id IS 'UUIDv7, given by the service.';
COMMENT ON COLUMN auth.users.company_id IS 'The company that the user acts for.';
COMMENT ON COLUMN auth.users.email IS 'E-mail address as it was given.';
COMMENT ON COLUMN auth.users.email_key IS 'The address in lower case, as the service computes it; what log-in looks for.';
COMMENT ON COLUMN auth.users.password_hash IS 'Argon2id in PHC text form.';
COMMENT ON COLUMN auth.users.display_name IS 'Name shown to people.';
COMMENT ON COLUMN auth.users.role IS 'buyer, approver, company_admin or seller.';
COMMENT ON COLUMN auth.users.locked_until IS 'Log-in is refused until then; NULL: not locked.';
COMMENT ON COLUMN auth.users.created_at IS 'When the user was added.';
COMMENT ON COLUMN auth.users.updated_at IS 'When the user was last changed.';
COMMENT ON COLUMN auth.users.updated_by IS 'The user who last changed this one; NULL: the system.';
CREATE INDEX users_company ON auth.users (company_id, id);

CREATE TABLE auth.sessions (
    id         uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    company_id uuid        NOT NULL,
    generation integer     NOT NULL DEFAULT 0,
    rotated_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    reason     text        COLLATE "C",
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT sessions_pkey PRIMARY KEY (id),
    CONSTRAINT sessions_user_fk FOREIGN KEY (user_id) REFERENCES auth.users (id),
    CONSTRAINT sessions_company_fk FOREIGN KEY (company_id) REFERENCES auth.companies (id),
    CONSTRAINT sessions_id_is_v7 CHECK (uuid_extract_version(id) = 7),
    CONSTRAINT sessions_generation_not_negative CHECK (generation >= 0),
    CONSTRAINT sessions_revoked_with_reason CHECK ((revoked_at IS NULL) = (reason IS NULL)),
    CONSTRAINT sessions_reason_bounded CHECK (octet_length(reason) BETWEEN 1 AND 64)
) WITH (fillfactor = 80);
COMMENT ON TABLE auth.sessions IS 'Families of refresh tokens: one row from log-in to log-out.';
COMMENT ON COLUMN auth.sessions.id IS 'UUIDv7; the claim sid of access tokens.';
COMMENT ON COLUMN auth.sessions.user_id IS 'Who logged in.';
COMMENT ON COLUMN auth.sessions.company_id IS 'The company of that user.';
COMMENT ON COLUMN auth.sessions.generation IS 'Number of the newest refresh token, from 0.';
COMMENT ON COLUMN auth.sessions.rotated_at IS 'When that token was issued; its predecessor gives the same successor for a grace period from then.';
COMMENT ON COLUMN auth.sessions.expires_at IS 'When the newest refresh token stops working.';
COMMENT ON COLUMN auth.sessions.revoked_at IS 'When the session was ended; NULL: it was not.';
COMMENT ON COLUMN auth.sessions.reason IS 'Why it was ended, for example logout or reuse; NULL: it was not.';
COMMENT ON COLUMN auth.sessions.created_at IS 'When the session began.';
COMMENT ON COLUMN auth.sessions.updated_at IS 'When the row last changed.';
CREATE INDEX sessions_user ON auth.sessions (user_id);
CREATE INDEX sessions_company ON auth.sessions (company_id, id);
-- All that is asked for by time: what was revoked lately. Refreshing a session touches no index.
CREATE INDEX sessions_revoked ON auth.sessions (revoked_at) INCLUDE (id) WHERE revoked_at IS NOT NULL;

-- Unique over all time, so it can't be partitioned by time; eight hash partitions keep vacuum and the deletion of old rows small.
CREATE TABLE auth.idempotency (
    company_id uuid        NOT NULL,
    method     text        COLLATE "C" NOT NULL,
    key        text        COLLATE "C" NOT NULL,
    body_hash  bytea       NOT NULL,
    response   bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT idempotency_pkey PRIMARY KEY (company_id, method, key),
    CONSTRAINT idempotency_key_bounded CHECK (octet_length(key) BETWEEN 1 AND 128)
) PARTITION BY HASH (company_id, method, key);
COMMENT ON TABLE auth.idempotency IS 'Requests already carried out, with their answers; kept 30 days.';
COMMENT ON COLUMN auth.idempotency.company_id IS 'The company of the caller; all zeros for callers without one.';
COMMENT ON COLUMN auth.idempotency.method IS 'Name of the rpc.';
COMMENT ON COLUMN auth.idempotency.key IS 'The caller''s key of the request.';
COMMENT ON COLUMN auth.idempotency.body_hash IS 'Hash of the request without its key; another body under the same key is refused.';
COMMENT ON COLUMN auth.idempotency.response IS 'The encoded answer; NULL only inside the transaction that carries the request out.';
COMMENT ON COLUMN auth.idempotency.created_at IS 'When the request was carried out.';
DO $$ BEGIN
    FOR i IN 0..7 LOOP
        EXECUTE format('CREATE TABLE auth.idempotency_%s PARTITION OF auth.idempotency FOR VALUES WITH (MODULUS 8, REMAINDER %s)', i, i);
    END LOOP;
END $$;
CREATE INDEX idempotency_created ON auth.idempotency USING brin (created_at) WITH (pages_per_range = 32, autosummarize = on);

-- Deletes up to p_limit rows older than 30 days; call it until it answers 0. Joined by the key: ctid is not unique over partitions.
CREATE FUNCTION auth.delete_old_idempotency(p_limit integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH old AS MATERIALIZED (
        SELECT i.company_id, i.method, i.key FROM auth.idempotency i
         WHERE i.created_at < now() - interval '30 days' LIMIT p_limit FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM auth.idempotency i USING old
         WHERE i.company_id = old.company_id AND i.method = old.method AND i.key = old.key RETURNING 1
    )
    SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION auth.delete_old_idempotency IS 'Deletes up to p_limit rows older than 30 days; how many.';

RESET ROLE;
