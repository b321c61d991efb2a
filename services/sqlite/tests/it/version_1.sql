-- A file as version 1 wrote it: its tables to the letter, and what a log had in them.
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
PRAGMA application_id = 0x536f6f72;
PRAGMA user_version = 1;

-- Groups `workers` and `auditors` of acme and `workers` of globex on action-requests (1). Of acme's workers e1 is done, e2 in
-- hand, e3 waits for its second attempt, e4 is a dead letter, e5 was redriven and is gone from the log, e6 and e7 are new.
INSERT INTO topics VALUES (1, 8, 0, 7);
INSERT INTO tenants VALUES (1, 'acme', 2), (2, 'globex', 0);
INSERT INTO consumers VALUES (1, 1, 'workers', 30000000, 3, 100), (2, 1, 'auditors', 60000000, 5, 10), (3, 2, 'workers', 30000000, 3, 100);
INSERT INTO consumer_topics VALUES (1, 1, 5), (2, 1, 0), (3, 1, 0);
INSERT INTO events(position, tenant, topic, id, appended_at, envelope)
    SELECT column1, column2, 1, column3, 1767225590000000 + column1 * 1000000,
        '{"specversion":"1.0","id":"' || column3 || '","source":"testkit","type":"' || column4
            || '","time":"2026-01-01T00:00:00Z","topic":"action-requests","plan_id":"p"}'
    FROM (VALUES
        (1, 1, 'e1', 'order.placed'), (2, 1, 'e2', 'order.placed'), (3, 1, 'e3', 'order.placed'),
        (4, 1, 'e4', 'order.failed'), (6, 1, 'e6', 'order.placed'), (7, 1, 'e7', 'order.placed'),
        (8, 2, 'x1', 'order.placed'));
INSERT INTO deliveries VALUES
    (1, 2, 1, 1, 1, 1767225630000000, 1767225600000000, 1767225600000000, NULL),
    (1, 3, 1, 1, 0, 1767225660000000, 1767225600000000, 1767225600000000, NULL),
    (1, 5, 1, 0, 0, 1767225600000000, 1767225600000000, NULL,
        '{"specversion":"1.0","id":"e5","source":"testkit","type":"order.placed","time":"2026-01-01T00:00:00Z","topic":"action-requests"}');
INSERT INTO dead_letters
    SELECT 1, 1, 1, 1, 4, 'no such order', 3, 1767225595000000, 1767225599000000, envelope FROM events WHERE position = 4;
-- A letter that is damaged keeps nobody from opening the file.
INSERT INTO dead_letters VALUES (1, 2, 2, 1, 3, 'damaged', 1, 1767225595000000, 1767225599000000, '{"half":');
