-- owner: admin. kept: 180 days. What users told the administrators of. `about`: a room ID, a
-- user ID, or room and event; text, for it may be of another server or gone.
CREATE TABLE reports (
    id {int} NOT NULL PRIMARY KEY,
    at_ms {int} NOT NULL,
    reporter {int} NOT NULL,
    room_id TEXT,
    event_id TEXT,
    user_id TEXT,
    reason TEXT NOT NULL
) {strict};
CREATE INDEX reports_at ON reports (at_ms);
CREATE INDEX reports_reporter ON reports (reporter);
