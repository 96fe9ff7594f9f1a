-- SQLite's events without an index of their ids. An id says nothing of its time: each event changed another page of that index, all over the
-- file, and the disk took three times as long to take a commit's pages back as without it.
-- owner: messaging. kept: until the room is purged; history by the room's retention.
@sqlite CREATE TABLE events_by_number (
@sqlite     id INTEGER NOT NULL PRIMARY KEY,
@sqlite     event_id TEXT NOT NULL,
@sqlite     room INTEGER NOT NULL,
@sqlite     event_type TEXT NOT NULL,
@sqlite     sender INTEGER NOT NULL,
@sqlite     state_key INTEGER,
@sqlite     depth INTEGER NOT NULL,
@sqlite     at_ms INTEGER NOT NULL,
@sqlite     position INTEGER,
@sqlite     timeline_order INTEGER,
@sqlite     state_before INTEGER,
@sqlite     state_after INTEGER,
@sqlite     countable INTEGER NOT NULL,
@sqlite     thread INTEGER,
@sqlite     thread_countable INTEGER,
@sqlite     flags INTEGER NOT NULL,
@sqlite     redacted_by INTEGER,
@sqlite     auth_rank INTEGER,
@sqlite     auth BLOB,
@sqlite     json BLOB NOT NULL
@sqlite ) STRICT;
@sqlite INSERT INTO events_by_number (id, event_id, room, event_type, sender, state_key, depth, at_ms, position, timeline_order, state_before, state_after, countable, thread, thread_countable, flags, redacted_by, auth_rank, auth, json)
@sqlite     SELECT id, event_id, room, event_type, sender, state_key, depth, at_ms, position, timeline_order, state_before, state_after, countable, thread, thread_countable, flags, redacted_by, auth_rank, auth, json FROM events;
@sqlite DROP TABLE events;
@sqlite ALTER TABLE events_by_number RENAME TO events;
@sqlite CREATE INDEX events_timeline ON events (room, timeline_order) WHERE timeline_order IS NOT NULL;
@sqlite CREATE INDEX events_log ON events (position) WHERE position IS NOT NULL;
@sqlite CREATE INDEX events_thread ON events (thread, timeline_order) WHERE thread IS NOT NULL;
@sqlite CREATE INDEX events_own ON events (room, sender, thread, timeline_order)
@sqlite     WHERE timeline_order IS NOT NULL AND state_key IS NULL AND (flags & 4) <> 0;
@sqlite CREATE INDEX events_uncounted ON events (room, timeline_order) WHERE redacted_by IS NOT NULL AND (flags & 64) <> 0;

-- Where the event with an id may be: `key` is of the id's hash, so that an entry is short and nobody can choose it. Filled from the log of
-- ids, many at a time, in order of the key; from the events themselves when it is empty.
-- owner: storage. kept: with the event.
@sqlite CREATE TABLE event_ids (
@sqlite     key INTEGER NOT NULL,
@sqlite     event INTEGER NOT NULL,
@sqlite     PRIMARY KEY (key, event)
@sqlite ) STRICT, WITHOUT ROWID;

-- The newest ids: pairs of key and event, 8 bytes each, some dozens a row.
-- owner: storage. kept: until they are in event_ids.
@sqlite CREATE TABLE event_ids_log (
@sqlite     id INTEGER NOT NULL PRIMARY KEY,
@sqlite     pairs BLOB NOT NULL
@sqlite ) STRICT;

-- How far they were moved, one row while they are: all of the log's rows up to `upto` whose pairs are not above this one.
-- owner: storage. kept: until all of them are moved.
@sqlite CREATE TABLE event_ids_sweep (
@sqlite     upto INTEGER NOT NULL PRIMARY KEY,
@sqlite     key INTEGER NOT NULL,
@sqlite     event INTEGER NOT NULL
@sqlite ) STRICT;
