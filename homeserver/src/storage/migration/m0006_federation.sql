-- owner: messaging. kept: until the destination has answered for it. EDUs that must arrive (to-device, device lists); what may be
-- lost (typing, receipts, presence) is never here.
CREATE TABLE outbound_edus (
    destination TEXT NOT NULL,
    position {int} NOT NULL,
    edu TEXT NOT NULL,
    PRIMARY KEY (destination, position)
) {strict};

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

-- owner: messaging. kept: until worked off, which is at once. Events received and answered for, in the order of `id`.
CREATE TABLE staged_events (
    id {int} NOT NULL PRIMARY KEY,
    origin TEXT NOT NULL,
    room {int} NOT NULL,
    json TEXT NOT NULL
) {strict};
CREATE INDEX staged_events_room ON staged_events (room, id);
