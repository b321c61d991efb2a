-- What version 4 adds: memory. Files of it exist: this text is never changed.

-- One row: the last revision that was given; by which tables of letters the words were cut, empty before they were; and how far it is with
-- forgetting the words of what was erased.
CREATE TABLE memory(revision INTEGER NOT NULL, letters TEXT NOT NULL, forgetting INTEGER NOT NULL);
INSERT INTO memory(revision, letters, forgetting) VALUES (0, '', 0);

-- No number is given twice: what was made for an owner who was erased never meets another.
CREATE TABLE memory_owners(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant INTEGER NOT NULL,
    service_tenant TEXT NOT NULL,
    user TEXT NOT NULL,
    UNIQUE(tenant, service_tenant, user)
);
-- What is searched as a whole: the private entries of an owner of one kind, or the public ones of a tenant (owner 0); and what
-- there is of them.
CREATE TABLE memory_scopes(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant INTEGER NOT NULL,
    owner INTEGER NOT NULL,
    kind TEXT NOT NULL,
    entries INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    texts INTEGER NOT NULL DEFAULT 0,
    words INTEGER NOT NULL DEFAULT 0,
    UNIQUE(tenant, owner, kind)
);
CREATE INDEX memory_scopes_of_kind ON memory_scopes(kind);
-- The labels stand here as JSON for who reads an entry, and in a table of their own for who looks for them. What is long stands last, so
-- that who looks at the rest does not read it.
CREATE TABLE memory_entries(
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    scope INTEGER NOT NULL,
    tenant INTEGER NOT NULL,
    owner INTEGER NOT NULL,
    public INTEGER NOT NULL,
    id BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    valid_from INTEGER,
    valid_until INTEGER,
    expires_at INTEGER,
    revision INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    words INTEGER NOT NULL,
    bundle TEXT NOT NULL,
    name TEXT,
    labels TEXT,
    text TEXT,
    body TEXT NOT NULL
);
CREATE UNIQUE INDEX memory_entries_id ON memory_entries(id, tenant);
-- Also of those without a name, which are many: who goes through a bundle by name need not look for them.
CREATE UNIQUE INDEX memory_entries_name ON memory_entries(scope, bundle, name);
CREATE INDEX memory_entries_created ON memory_entries(scope, created_at, id);
CREATE INDEX memory_entries_bundle ON memory_entries(scope, bundle, created_at, id);
CREATE INDEX memory_entries_expires ON memory_entries(expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX memory_entries_expired ON memory_entries(scope, expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX memory_entries_from ON memory_entries(scope, valid_from) WHERE valid_from IS NOT NULL;
CREATE INDEX memory_entries_until ON memory_entries(scope, valid_until) WHERE valid_until IS NOT NULL;
CREATE INDEX memory_entries_public ON memory_entries(owner) WHERE public;
CREATE TABLE memory_labels(
    scope INTEGER NOT NULL,
    label TEXT NOT NULL,
    entry INTEGER NOT NULL,
    PRIMARY KEY(scope, label, entry)
) WITHOUT ROWID;

CREATE TABLE memory_generations(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE);
-- The part stands for the bundle of the entry, so that who reads the vectors of a scope need not look up the entries.
CREATE TABLE memory_vectors(
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    generation INTEGER NOT NULL,
    scope INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    part INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    vector BLOB NOT NULL
);
CREATE UNIQUE INDEX memory_vectors_of_entry ON memory_vectors(entry, generation);
CREATE INDEX memory_vectors_of_scope ON memory_vectors(generation, scope);

-- The words of the texts, each with the number of its scope before it: so the list of a word holds one scope alone, whatever others
-- have. The words are cut by us.
CREATE VIRTUAL TABLE memory_words USING fts5(words, content = '', columnsize = 0, tokenize = "ascii tokenchars '_'");
CREATE VIRTUAL TABLE memory_word_counts USING fts5vocab(memory_words, 'row');
CREATE VIRTUAL TABLE memory_word_places USING fts5vocab(memory_words, 'instance');
