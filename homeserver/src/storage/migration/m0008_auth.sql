-- What authorises a state event: its rank (one more than the highest of its auth events) and their ids, 8 bytes each. Rows from
-- before have neither; it is worked out from their JSON.
ALTER TABLE events ADD COLUMN auth_rank {int};
ALTER TABLE events ADD COLUMN auth {bytes};
