-- owner: messaging. kept: until the room is purged. One row a thread: how many events count in it, and where it went on last. Its id is
-- that of the first event known in it.
CREATE TABLE threads (
    id {int} NOT NULL PRIMARY KEY,
    room {int} NOT NULL,
    root TEXT NOT NULL,
    countable {int} NOT NULL,
    last_order {int} NOT NULL,
    UNIQUE (room, root)
) {strict};
CREATE INDEX threads_activity ON threads (room, last_order);

-- The thread an event is in (NULL: the main timeline) and the thread's running total. `countable` is the main timeline's from here on;
-- what was stored before counts there, threads included.
ALTER TABLE events ADD COLUMN thread {int};
ALTER TABLE events ADD COLUMN thread_countable {int};
UPDATE events SET countable = COALESCE((SELECT live.countable FROM events live WHERE live.room = events.room
    AND live.timeline_order < events.timeline_order AND (live.flags & 8) = 0 ORDER BY live.timeline_order DESC LIMIT 1), 0)
    WHERE timeline_order > 0 AND (flags & 8) <> 0;
INSERT INTO threads (id, room, root, countable, last_order)
    SELECT MIN(r.child), r.room, r.parent, 0, MAX(e.timeline_order) FROM relations r JOIN events e ON e.id = r.child
    WHERE r.rel_type = 'm.thread' AND e.timeline_order IS NOT NULL GROUP BY r.room, r.parent;
UPDATE events SET thread_countable = 0, thread = (SELECT t.id FROM relations r JOIN threads t ON t.room = r.room AND t.root = r.parent
    WHERE r.child = events.id) WHERE timeline_order IS NOT NULL AND id IN (SELECT child FROM relations WHERE rel_type = 'm.thread');
CREATE INDEX events_thread ON events (thread, timeline_order) WHERE thread IS NOT NULL;
CREATE INDEX events_own ON events (room, sender, thread, timeline_order)
    WHERE timeline_order IS NOT NULL AND state_key IS NULL AND (flags & 4) <> 0;
CREATE INDEX events_uncounted ON events (room, timeline_order) WHERE redacted_by IS NOT NULL AND (flags & 64) <> 0;

-- What an exception adds to a count or takes from it. Highlights that were read are kept too: the newest 50 of a user and room.
ALTER TABLE push_actions ADD COLUMN thread {int} NOT NULL DEFAULT 0;
ALTER TABLE push_actions ADD COLUMN delta {int} NOT NULL DEFAULT 0;
CREATE INDEX push_actions_order ON push_actions (user_id, room, thread, timeline_order, delta, highlight);
CREATE INDEX push_actions_event ON push_actions (event);

CREATE INDEX account_data_wishes ON account_data (user_id)
    WHERE room_id = '' AND data_type IN ('m.push_rules', 'm.ignored_user_list');
