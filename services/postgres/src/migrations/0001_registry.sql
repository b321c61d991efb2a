-- The registry: agents, what events mean, schemas, and the one sequence of their changes.
-- Times are microseconds since 1970. Records are JSON as text: Postgres' own JSON does not keep all digits and cannot hold \u0000.

CREATE TABLE registry_revision (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    -- The last that was given out. Who writes holds the row until the commit: what is committed later has a greater one.
    revision bigint NOT NULL,
    -- The last of a removed agent that is not told of any more.
    forgotten bigint NOT NULL
);
INSERT INTO registry_revision (revision, forgotten) VALUES (0, 0);

CREATE TABLE registry_agents (
    tenant text NOT NULL CHECK (tenant <> ''),
    id text NOT NULL,
    -- Of the last that was heard of it, or of its removal.
    revision bigint NOT NULL,
    -- At which its record was said. An agent stands at both places, so that one who pages finds the record at its place however often
    -- the agent is heard meanwhile.
    said bigint NOT NULL,
    -- Empty where the agent was removed.
    record text NOT NULL,
    status text NOT NULL,
    -- A JSON text.
    reason text,
    registered_at bigint NOT NULL,
    heard_at bigint NOT NULL,
    removed_at bigint,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX registry_agents_revision ON registry_agents (revision);
CREATE UNIQUE INDEX registry_agents_said ON registry_agents (said) WHERE removed_at IS NULL;
CREATE INDEX registry_agents_removed ON registry_agents (removed_at) WHERE removed_at IS NOT NULL;

CREATE TABLE registry_events (
    tenant text NOT NULL CHECK (tenant <> ''),
    name text NOT NULL,
    revision bigint NOT NULL,
    -- The first that was said stays, whatever the definition says.
    topic text NOT NULL,
    definition text NOT NULL,
    PRIMARY KEY (tenant, name)
);
CREATE UNIQUE INDEX registry_events_revision ON registry_events (revision);

CREATE TABLE registry_schemas (
    tenant text NOT NULL CHECK (tenant <> ''),
    name text NOT NULL,
    version text NOT NULL,
    revision bigint NOT NULL,
    schema text NOT NULL,
    PRIMARY KEY (tenant, name, version)
);
CREATE UNIQUE INDEX registry_schemas_revision ON registry_schemas (revision);

-- The walls. Who has said no tenant sees no row; a tenant's rows are read and written by who has said that tenant; the node
-- itself, who follows all changes, may read all, and no more than read.

ALTER TABLE registry_agents ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON registry_agents
    USING (tenant = current_setting('soorma.tenant', true))
    WITH CHECK (tenant = current_setting('soorma.tenant', true));
CREATE POLICY reach ON registry_agents FOR SELECT USING (current_setting('soorma.reach', true) = 'every tenant');

ALTER TABLE registry_events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON registry_events
    USING (tenant = current_setting('soorma.tenant', true))
    WITH CHECK (tenant = current_setting('soorma.tenant', true));
CREATE POLICY reach ON registry_events FOR SELECT USING (current_setting('soorma.reach', true) = 'every tenant');

ALTER TABLE registry_schemas ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON registry_schemas
    USING (tenant = current_setting('soorma.tenant', true))
    WITH CHECK (tenant = current_setting('soorma.tenant', true));
CREATE POLICY reach ON registry_schemas FOR SELECT USING (current_setting('soorma.reach', true) = 'every tenant');

-- The sequence is nobody's: it is read and counted on, neither made nor removed.
ALTER TABLE registry_revision ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY seen ON registry_revision FOR SELECT USING (true);
CREATE POLICY counted ON registry_revision FOR UPDATE USING (true);
