-- A transaction id counts for one device and one endpoint, its path included.
ALTER TABLE sent_transactions RENAME TO sent_transactions_before;

-- owner: messaging. kept: 7 days, then a repeated request counts as a new one. `endpoint`: the path's changing parts.
CREATE TABLE sent_transactions_of_endpoints (
    device {int} NOT NULL,
    endpoint TEXT NOT NULL,
    txn_id TEXT NOT NULL,
    event {int} NOT NULL,
    at_ms {int} NOT NULL,
    PRIMARY KEY (device, endpoint, txn_id)
) {strict};
DROP INDEX sent_transactions_event;
CREATE INDEX sent_transactions_event ON sent_transactions_of_endpoints (event);
INSERT INTO sent_transactions_of_endpoints (device, endpoint, txn_id, event, at_ms)
    SELECT t.device, r.room_id || '/send/' || e.event_type, t.txn_id, t.event, t.at_ms
    FROM sent_transactions_before t JOIN events e ON e.id = t.event JOIN rooms r ON r.id = e.room;
DROP TABLE sent_transactions_before;
ALTER TABLE sent_transactions_of_endpoints RENAME TO sent_transactions;

-- Where in the log the membership began that lasts until now: unlike `position`, a new name or avatar leaves it alone.
ALTER TABLE memberships ADD COLUMN since {int} NOT NULL DEFAULT 0;
UPDATE memberships SET since = position WHERE membership <> 'join';
