-- What version 2 changes. Files of it exist: this text is never changed.

-- A number is never given twice: else who was a member of a group that was removed would be one of another group.
CREATE TABLE consumers_2(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant INTEGER NOT NULL,
    name TEXT NOT NULL,
    ack_within INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    max_unsettled INTEGER NOT NULL,
    key TEXT,
    expire_after INTEGER,
    used_at INTEGER NOT NULL,
    paused INTEGER NOT NULL DEFAULT 0,
    UNIQUE(tenant, name)
);
-- When groups of version 1 were used is not known; who opens the file writes the time of opening for the 0.
INSERT INTO consumers_2(id, tenant, name, ack_within, max_attempts, max_unsettled, used_at)
    SELECT id, tenant, name, ack_within, max_attempts, max_unsettled, 0 FROM consumers;
DROP TABLE consumers;
ALTER TABLE consumers_2 RENAME TO consumers;

-- A delivery waits to be handed out (0), is in hand (1), or is parked (2): it waits for another of its key. Of one key at most one
-- is not parked. Groups without keys pay nothing for the two indexes of keys.
ALTER TABLE deliveries RENAME COLUMN leased TO state;
ALTER TABLE deliveries ADD COLUMN key INTEGER;
DROP INDEX deliveries_due;
CREATE INDEX deliveries_due ON deliveries(consumer, state, due_at, position, topic);
CREATE UNIQUE INDEX deliveries_busy ON deliveries(consumer, key) WHERE key IS NOT NULL AND state < 2;
CREATE INDEX deliveries_parked ON deliveries(consumer, key, position) WHERE state = 2;

-- The type of the event, so that who looks for one does not read all letters.
ALTER TABLE dead_letters ADD COLUMN kind TEXT NOT NULL DEFAULT '';
UPDATE dead_letters SET kind = coalesce(json_extract(envelope, '$.type'), '') WHERE json_valid(envelope);
CREATE INDEX dead_letters_of_group ON dead_letters(consumer, id);
CREATE INDEX dead_letters_of_kind ON dead_letters(tenant, kind, id);
