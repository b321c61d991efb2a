-- What version 3 adds: the registry. Files of it exist: this text is never changed.

-- One row: the last revision that was given, and that of the last removal that was forgotten.
CREATE TABLE registry(revision INTEGER NOT NULL, forgotten INTEGER NOT NULL);
INSERT INTO registry(revision, forgotten) VALUES (0, 0);

-- What agents say of themselves, and at which revision, apart from how they are: most of what is written are signs of life, and
-- those rows are small.
CREATE TABLE registry_agents(
    key INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    id TEXT NOT NULL,
    said INTEGER NOT NULL,
    registered_at INTEGER NOT NULL,
    document TEXT NOT NULL,
    UNIQUE(tenant, id)
);
CREATE UNIQUE INDEX registry_agents_said ON registry_agents(said);
-- How they are. The revision is that of the last sign of life since the record was said, if there was one.
CREATE TABLE registry_heard(
    agent INTEGER PRIMARY KEY,
    revision INTEGER,
    heard_at INTEGER NOT NULL,
    status TEXT NOT NULL,
    reason TEXT
);
CREATE UNIQUE INDEX registry_heard_revision ON registry_heard(revision) WHERE revision IS NOT NULL;
-- That agents were removed, until it is forgotten.
CREATE TABLE registry_removed(
    tenant INTEGER NOT NULL,
    id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    removed_at INTEGER NOT NULL,
    PRIMARY KEY(tenant, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX registry_removed_revision ON registry_removed(revision);

-- The topic is the first one that was said, whatever the document says.
CREATE TABLE registry_events(
    key INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    name TEXT NOT NULL,
    revision INTEGER NOT NULL,
    topic INTEGER NOT NULL,
    document TEXT NOT NULL,
    UNIQUE(tenant, name)
);
CREATE UNIQUE INDEX registry_events_revision ON registry_events(revision);
CREATE TABLE registry_schemas(
    key INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    revision INTEGER NOT NULL,
    document TEXT NOT NULL,
    UNIQUE(tenant, name, version)
);
CREATE UNIQUE INDEX registry_schemas_revision ON registry_schemas(revision);
