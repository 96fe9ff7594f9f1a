-- Events that could not be worked off, because a server was not to be reached, are tried again at a time.
ALTER TABLE staged_events ADD COLUMN attempts {int} NOT NULL DEFAULT 0;
ALTER TABLE staged_events ADD COLUMN retry_at_ms {int} NOT NULL DEFAULT 0;

-- owner: messaging. kept: until the event arrives, or the next receipt of the same (room, user, kind, thread). Receipts for events
-- that are not here: where in the timeline they stand is not known yet.
CREATE TABLE waiting_receipts (
    room {int} NOT NULL,
    user_id {int} NOT NULL,
    kind TEXT NOT NULL,
    thread TEXT NOT NULL,
    event_id TEXT NOT NULL,
    at_ms {int} NOT NULL,
    PRIMARY KEY (room, user_id, kind, thread)
) {strict};
CREATE INDEX waiting_receipts_event ON waiting_receipts (room, event_id);
