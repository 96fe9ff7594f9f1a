-- Where `snapshot` is of a resolution and no event stands on it yet: the snapshot that it was made from. The next resolution replaces it.
ALTER TABLE rooms ADD COLUMN standing_snapshot {int};
