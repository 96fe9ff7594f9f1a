-- owner: messaging. kept: until the room is purged. `owner`, `owner_epoch`: the process that may write the room.
CREATE TABLE rooms (
    id {int} NOT NULL PRIMARY KEY,
    room_id TEXT NOT NULL UNIQUE,
    version TEXT NOT NULL,
    owner {int} NOT NULL DEFAULT 0,
    owner_epoch {int} NOT NULL DEFAULT 0,
    snapshot {int},
    extremities {bytes},
    last_order {int} NOT NULL DEFAULT -1,
    first_order {int} NOT NULL DEFAULT 0,
    countable {int} NOT NULL DEFAULT 0,
    in_directory {int} NOT NULL DEFAULT 0
) {strict};

-- owner: messaging. kept: with the events that refer to it.
CREATE TABLE state_keys (
    id {int} NOT NULL PRIMARY KEY,
    event_type TEXT NOT NULL,
    state_key TEXT NOT NULL,
    UNIQUE (event_type, state_key)
) {strict};

-- owner: messaging. kept: until the room is purged; history by the room's retention.
CREATE TABLE events (
    id {int} NOT NULL PRIMARY KEY,
    event_id TEXT NOT NULL UNIQUE,
    room {int} NOT NULL,
    event_type TEXT NOT NULL,
    sender {int} NOT NULL,
    state_key {int},
    depth {int} NOT NULL,
    at_ms {int} NOT NULL,
    position {int},
    timeline_order {int},
    state_before {int},
    state_after {int},
    countable {int} NOT NULL,
    flags {int} NOT NULL,
    redacted_by {int},
    json {bytes} NOT NULL
) {strict};
CREATE INDEX events_timeline ON events (room, timeline_order) WHERE timeline_order IS NOT NULL;
CREATE INDEX events_log ON events (position) WHERE position IS NOT NULL;

-- owner: messaging. kept: while an event or a room refers to it; collected otherwise.
CREATE TABLE state_snapshots (
    id {int} NOT NULL PRIMARY KEY,
    room {int} NOT NULL,
    version {int} NOT NULL,
    parent {int},
    delta {bytes} NOT NULL
) {strict};

-- owner: messaging. kept: until the room is purged or the user forgets it.
CREATE TABLE memberships (
    user_id {int} NOT NULL,
    room {int} NOT NULL,
    membership TEXT NOT NULL,
    event {int} NOT NULL,
    position {int} NOT NULL,
    stripped_state {bytes},
    forgotten {int} NOT NULL DEFAULT 0,
    PRIMARY KEY (user_id, room)
) {strict};
CREATE INDEX memberships_room ON memberships (room);

-- owner: messaging. kept: with the child event.
CREATE TABLE relations (
    child {int} NOT NULL PRIMARY KEY,
    room {int} NOT NULL,
    parent TEXT NOT NULL,
    rel_type TEXT NOT NULL
) {strict};
CREATE INDEX relations_parent ON relations (parent);

-- owner: messaging. kept: 7 days, then a repeated request counts as a new one.
CREATE TABLE sent_transactions (
    device {int} NOT NULL,
    txn_id TEXT NOT NULL,
    event {int} NOT NULL,
    at_ms {int} NOT NULL,
    PRIMARY KEY (device, txn_id)
) {strict};
CREATE INDEX sent_transactions_event ON sent_transactions (event);

-- owner: messaging. kept: until the user's receipt passes the event. One row per exception, never per member.
CREATE TABLE push_actions (
    user_id {int} NOT NULL,
    room {int} NOT NULL,
    event {int} NOT NULL,
    timeline_order {int} NOT NULL,
    notify {int} NOT NULL,
    highlight {int} NOT NULL,
    PRIMARY KEY (user_id, room, event)
) {strict};

-- owner: messaging. kept: the newest per (room, user, kind, thread).
CREATE TABLE receipts (
    room {int} NOT NULL,
    user_id {int} NOT NULL,
    kind TEXT NOT NULL,
    thread TEXT NOT NULL,
    event_id TEXT NOT NULL,
    timeline_order {int},
    at_ms {int} NOT NULL,
    position {int} NOT NULL,
    PRIMARY KEY (room, user_id, kind, thread)
) {strict};
CREATE INDEX receipts_position ON receipts (room, position);
CREATE INDEX receipts_log ON receipts (position);

-- owner: messaging. kept: until removed by its owner or with the room.
CREATE TABLE aliases (
    alias TEXT NOT NULL PRIMARY KEY,
    room_id TEXT NOT NULL,
    creator {int} NOT NULL
) {strict};

-- owner: messaging. kept: until filled. History missing below an event: its prev events are not here.
CREATE TABLE backward_extremities (
    room {int} NOT NULL,
    event_id TEXT NOT NULL,
    timeline_order {int} NOT NULL,
    PRIMARY KEY (room, event_id)
) {strict};
