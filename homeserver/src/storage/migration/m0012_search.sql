-- The words of what was said in the clear. On SQLite the text itself is not kept again: a contentless index. A row's id is the
-- position of its event, so that the newest matches come first without sorting. `room` holds one word, `r` and the room's id, so
-- that a search reads only what lies in the searcher's rooms.
-- owner: messaging. kept: until the event is redacted.
@sqlite CREATE VIRTUAL TABLE search_index USING fts5 (
@sqlite     room, body, name, topic, content = '', contentless_delete = 1, columnsize = 1,
@sqlite     tokenize = 'unicode61 remove_diacritics 2'
@sqlite );

-- The same for PostgreSQL; body, name and topic are the weights A, B and C of its words.
-- owner: messaging. kept: until the event is redacted.
@postgres CREATE TABLE search_index (
@postgres     position BIGINT NOT NULL PRIMARY KEY,
@postgres     room BIGINT NOT NULL,
@postgres     words TSVECTOR NOT NULL
@postgres );
@postgres CREATE INDEX search_index_words ON search_index USING gin (words);
@postgres CREATE INDEX search_index_room ON search_index (room);

-- owner: messaging. kept: for ever, one row. Up to which position events are in the index.
CREATE TABLE search_progress (
    position {int} NOT NULL
) {strict};
INSERT INTO search_progress (position) VALUES (0);
