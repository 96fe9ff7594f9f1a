-- owner: storage. kept: as long as events of that server are. Other servers' signing keys, as JSON.
CREATE TABLE server_keys (
    server_name TEXT NOT NULL PRIMARY KEY,
    keys TEXT NOT NULL
) {strict};

-- owner: storage. kept: as long as a room is shared with the destination. How far it has read our log.
CREATE TABLE destinations (
    server_name TEXT NOT NULL PRIMARY KEY,
    cursor {int} NOT NULL,
    failures {int} NOT NULL DEFAULT 0,
    retry_at_ms {int}
) {strict};
