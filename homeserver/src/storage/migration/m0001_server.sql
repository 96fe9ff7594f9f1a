-- owner: storage. kept: for ever, a handful of rows.
CREATE TABLE server (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) {strict};

-- owner: storage. kept: for ever, two rows. `id`: no id above it was handed out; `position`: the newest commit.
CREATE TABLE counters (
    name TEXT NOT NULL PRIMARY KEY,
    value {int} NOT NULL
) {strict};
INSERT INTO counters (name, value) VALUES ('id', 0), ('position', 0);

-- owner: storage. kept: as long as anything refers to the user. Local and remote alike.
CREATE TABLE users (
    id {int} NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL UNIQUE,
    server TEXT NOT NULL
) {strict};

-- owner: storage. kept: as long as anything refers to the server.
CREATE TABLE servers (
    id {int} NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) {strict};

-- owner: storage. kept: until done, then 7 days. Persisted background work, one runner; `kind` names the floor's job.
CREATE TABLE jobs (
    id {int} NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    run_at_ms {int} NOT NULL,
    attempts {int} NOT NULL DEFAULT 0,
    done_at_ms {int},
    last_error TEXT
) {strict};
CREATE INDEX jobs_due ON jobs (run_at_ms) WHERE done_at_ms IS NULL;
