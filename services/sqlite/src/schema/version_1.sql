-- The tables of version 1. Files of it exist: this text is never changed.
--
-- Positions come from one sequence for all topics, so a position alone says what came first. An index on
-- (tenant, topic) is in order of positions, since SQLite ends every index entry with the row id.
CREATE TABLE topics(
    topic INTEGER PRIMARY KEY,
    head INTEGER NOT NULL,
    before_first INTEGER NOT NULL,
    kept INTEGER NOT NULL
);
CREATE TABLE tenants(
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    last_dead_letter INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE events(
    position INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    topic INTEGER NOT NULL,
    id TEXT NOT NULL,
    appended_at INTEGER NOT NULL,
    envelope TEXT NOT NULL
);
CREATE UNIQUE INDEX events_once ON events(tenant, topic, id);
CREATE INDEX events_of_tenant ON events(tenant, topic);
CREATE INDEX events_of_topic ON events(topic);
CREATE TABLE consumers(
    id INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    name TEXT NOT NULL,
    ack_within INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    max_unsettled INTEGER NOT NULL,
    UNIQUE(tenant, name)
);
CREATE TABLE consumer_topics(
    consumer INTEGER NOT NULL,
    topic INTEGER NOT NULL,
    cursor INTEGER NOT NULL,
    PRIMARY KEY(consumer, topic)
) WITHOUT ROWID;
-- What was handed out and not acknowledged: in hand (leased) or waiting to be tried again. `envelope` is there only
-- for what was redriven, since its event may be gone.
CREATE TABLE deliveries(
    consumer INTEGER NOT NULL,
    position INTEGER NOT NULL,
    topic INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    leased INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    set_at INTEGER NOT NULL,
    first_at INTEGER,
    envelope TEXT,
    PRIMARY KEY(consumer, position)
) WITHOUT ROWID;
CREATE INDEX deliveries_due ON deliveries(consumer, leased, due_at);
CREATE TABLE dead_letters(
    tenant INTEGER NOT NULL,
    id INTEGER NOT NULL,
    consumer INTEGER NOT NULL,
    topic INTEGER NOT NULL,
    position INTEGER NOT NULL,
    cause TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    envelope TEXT NOT NULL,
    PRIMARY KEY(tenant, id)
) WITHOUT ROWID;
-- Where `check` tries whether there is room again.
CREATE TABLE probe(filler BLOB NOT NULL);
