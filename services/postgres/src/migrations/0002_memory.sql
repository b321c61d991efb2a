-- Memory: entries, the words and labels that they are found by, and vectors by which their meaning is found.
-- Times are microseconds since 1970. The extension `vector` is there when this is carried out; where its type is, the search path does not say, so
-- it is looked up.

-- What was given out is never given out again, so no two states of an entry have one revision.
CREATE SEQUENCE memory_revision;

CREATE TABLE memory_entries (
    tenant text NOT NULL CHECK (tenant <> ''),
    id uuid NOT NULL,
    -- Who put it first.
    service_tenant text NOT NULL,
    owner text NOT NULL,
    public boolean NOT NULL,
    -- Who sees it: nobody in particular where it is public. Neither part has a control character.
    whose text NOT NULL GENERATED ALWAYS AS (CASE WHEN public THEN '' ELSE service_tenant || E'\x1f' || owner END) STORED,
    kind text NOT NULL,
    grp text NOT NULL,
    -- Ordered byte by byte.
    key text COLLATE "C",
    text text,
    body text NOT NULL,
    labels text[] NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    valid_from bigint,
    valid_until bigint,
    expires_at bigint,
    revision bigint NOT NULL,
    PRIMARY KEY (tenant, id)
) WITH (fillfactor = 90);
-- What is read for somebody goes by one that begins with the tenant and whose it is, so that it costs nothing what others have.
CREATE UNIQUE INDEX memory_entries_key ON memory_entries (tenant, whose, kind, grp, key);
CREATE INDEX memory_entries_group ON memory_entries (tenant, whose, kind, grp, created_at, id);
CREATE INDEX memory_entries_scope ON memory_entries (tenant, whose, kind, created_at, id);
-- Those of all are for what goes by itself.
CREATE INDEX memory_entries_expires ON memory_entries (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX memory_entries_retires ON memory_entries (kind, created_at);
CREATE INDEX memory_entries_texts ON memory_entries (id, tenant) WHERE text IS NOT NULL;

-- One row for each entry that has a text or labels. Beside the words of the text, whose signs are letters and digits alone, stand
-- ':', which all have, ':' with a number for who sees it, and '#' with a number for each label.
CREATE TABLE memory_words (
    tenant text NOT NULL CHECK (tenant <> ''),
    id uuid NOT NULL,
    words tsvector NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX memory_words_words ON memory_words USING gin (words) WITH (fastupdate = off);

CREATE TABLE memory_generations (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model text NOT NULL,
    dimensions integer NOT NULL,
    UNIQUE (model, dimensions)
);

-- With what a search in a scope asks for, so that it reads no other table. Tenants that share an index for nearness are few: the more there are of
-- others in it, the longer one looks for one's own.
DO $$
DECLARE
    extension_schema text := (SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector');
BEGIN
    EXECUTE format(
        'CREATE TABLE memory_vectors (
            tenant text NOT NULL CHECK (tenant <> ''''),
            id uuid NOT NULL,
            generation integer NOT NULL,
            whose text NOT NULL,
            kind text NOT NULL,
            grp text NOT NULL,
            created_at bigint NOT NULL,
            expires_at bigint,
            embedding %I.vector NOT NULL,
            PRIMARY KEY (tenant, id, generation)
        ) PARTITION BY HASH (tenant)', extension_schema);
    FOR part IN 0..15 LOOP
        EXECUTE format('CREATE TABLE memory_vectors_%s PARTITION OF memory_vectors FOR VALUES WITH (MODULUS 16, REMAINDER %s)', part, part);
        -- Who goes past the table that they are parts of finds no policy, and so nothing.
        EXECUTE format('ALTER TABLE memory_vectors_%s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', part);
    END LOOP;
END
$$;
CREATE INDEX memory_vectors_scope ON memory_vectors (tenant, generation, whose, kind, grp);

-- The walls, as those of the registry.

ALTER TABLE memory_entries ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON memory_entries
    USING (tenant = current_setting('soorma.tenant', true))
    WITH CHECK (tenant = current_setting('soorma.tenant', true));
CREATE POLICY reach ON memory_entries FOR SELECT USING (current_setting('soorma.reach', true) = 'every tenant');

-- What is searched for is said to the wall. A search is no operator that may look at rows before a wall has let them through, so as
-- a condition of a query it could use no index; as a part of the wall it does. Who says no words sees nothing.
ALTER TABLE memory_words ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON memory_words
    USING (tenant = current_setting('soorma.tenant', true) AND words @@ nullif(current_setting('soorma.words', true), '')::tsquery)
    WITH CHECK (tenant = current_setting('soorma.tenant', true));

ALTER TABLE memory_vectors ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON memory_vectors
    USING (tenant = current_setting('soorma.tenant', true))
    WITH CHECK (tenant = current_setting('soorma.tenant', true));
CREATE POLICY reach ON memory_vectors FOR SELECT USING (current_setting('soorma.reach', true) = 'every tenant');

-- Names of models are nobody's: they are read and added to.
ALTER TABLE memory_generations ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY seen ON memory_generations FOR SELECT USING (true);
CREATE POLICY added ON memory_generations FOR INSERT WITH CHECK (true);

-- One entry by its key, in one statement: a tenant is said, and then it is looked.
CREATE FUNCTION memory_at_key(in_tenant text, in_whose text, in_kind text, in_grp text, in_key text) RETURNS SETOF memory_entries
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('soorma.tenant', in_tenant, true);
    RETURN QUERY SELECT * FROM memory_entries e
        WHERE e.tenant = in_tenant AND e.whose = in_whose AND e.kind = in_kind AND e.grp = in_grp AND e.key = in_key;
END
$$;
