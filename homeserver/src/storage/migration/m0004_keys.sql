-- owner: messaging. kept: until the device is deleted; a remote user's while the copy is. `display_name`: remote devices only, ours have
-- theirs in `devices`.
CREATE TABLE device_keys (
    user_id {int} NOT NULL,
    device_id TEXT NOT NULL,
    json TEXT NOT NULL,
    display_name TEXT,
    PRIMARY KEY (user_id, device_id)
) {strict};

-- owner: messaging. kept: until claimed, or the device is deleted. `epoch`: the database's at the upload; keys of another epoch may
-- have been given out after a backup was taken and are never given out again. `position`: order of upload.
CREATE TABLE one_time_keys (
    user_id {int} NOT NULL,
    device_id TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    key_id TEXT NOT NULL,
    epoch TEXT NOT NULL,
    position {int} NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (user_id, device_id, algorithm, key_id)
) {strict};
CREATE INDEX one_time_keys_order ON one_time_keys (user_id, device_id, algorithm, position, key_id);

-- owner: messaging. kept: until replaced, or the device is deleted.
CREATE TABLE fallback_keys (
    user_id {int} NOT NULL,
    device_id TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    key_id TEXT NOT NULL,
    used {int} NOT NULL DEFAULT 0,
    json TEXT NOT NULL,
    PRIMARY KEY (user_id, device_id, algorithm)
) {strict};

-- owner: messaging. kept: until replaced, or the account is deactivated. `usage`: master, self_signing, user_signing.
CREATE TABLE cross_signing_keys (
    user_id {int} NOT NULL,
    usage TEXT NOT NULL,
    public_key TEXT NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (user_id, usage)
) {strict};

-- owner: messaging. kept: until the signed or the signing key goes. `target`: a device id or a public cross-signing key.
CREATE TABLE key_signatures (
    target_user {int} NOT NULL,
    target TEXT NOT NULL,
    signer {int} NOT NULL,
    key_id TEXT NOT NULL,
    signature TEXT NOT NULL,
    PRIMARY KEY (target_user, target, signer, key_id)
) {strict};

-- owner: messaging. kept: the newest per (signer, signed user). What a user's own signature of somebody changed; told to the signer.
CREATE TABLE signature_changes (
    signer {int} NOT NULL,
    target_user {int} NOT NULL,
    position {int} NOT NULL,
    PRIMARY KEY (signer, target_user)
) {strict};

-- owner: messaging. kept: the newest per (user, device). `device_id` is empty for cross-signing keys. `announced`: other servers
-- were told, or need not be.
CREATE TABLE device_list_changes (
    user_id {int} NOT NULL,
    device_id TEXT NOT NULL,
    position {int} NOT NULL,
    announced {int} NOT NULL,
    PRIMARY KEY (user_id, device_id)
) {strict};
CREATE INDEX device_list_changes_position ON device_list_changes (position);
CREATE INDEX device_list_changes_owed ON device_list_changes (position) WHERE announced = 0;

-- owner: messaging. kept: as long as the user. The stream id last sent to other servers for a user of ours.
CREATE TABLE device_list_streams (
    user_id {int} NOT NULL PRIMARY KEY,
    stream_id {int} NOT NULL
) {strict};

-- owner: messaging. kept: while the user shares a room with one of ours. `stream_id`: their server's; `position`: ours when the
-- copy was made; `stale`: an update was missed, to be fetched anew.
CREATE TABLE remote_device_lists (
    user_id {int} NOT NULL PRIMARY KEY,
    stream_id {int} NOT NULL,
    position {int} NOT NULL,
    stale {int} NOT NULL DEFAULT 0
) {strict};
CREATE INDEX remote_device_lists_stale ON remote_device_lists (user_id) WHERE stale = 1;

-- owner: messaging. kept: until the receiving device acknowledges it or is deleted.
CREATE TABLE to_device_messages (
    device {int} NOT NULL,
    position {int} NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (device, position)
) {strict};

-- owner: messaging. kept: 7 days, then a repeated request counts as a new one.
CREATE TABLE to_device_transactions (
    device {int} NOT NULL,
    event_type TEXT NOT NULL,
    txn_id TEXT NOT NULL,
    at_ms {int} NOT NULL,
    PRIMARY KEY (device, event_type, txn_id)
) {strict};
CREATE INDEX to_device_transactions_age ON to_device_transactions (at_ms);

-- owner: messaging. kept: 30 days. Messages of other servers that arrived, so that a repeated transaction delivers nothing twice.
CREATE TABLE received_to_device (
    origin TEXT NOT NULL,
    message_id TEXT NOT NULL,
    at_ms {int} NOT NULL,
    PRIMARY KEY (origin, message_id)
) {strict};
CREATE INDEX received_to_device_age ON received_to_device (at_ms);

-- owner: messaging. kept: as long as the account, deleted versions as an empty row: a number is never given twice.
CREATE TABLE key_backups (
    user_id {int} NOT NULL,
    version {int} NOT NULL,
    algorithm TEXT NOT NULL,
    auth_data TEXT NOT NULL,
    etag {int} NOT NULL DEFAULT 0,
    count {int} NOT NULL DEFAULT 0,
    deleted {int} NOT NULL DEFAULT 0,
    PRIMARY KEY (user_id, version)
) {strict};

-- owner: messaging. kept: with its backup version.
CREATE TABLE key_backup_sessions (
    user_id {int} NOT NULL,
    version {int} NOT NULL,
    room_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    first_message_index {int} NOT NULL,
    forwarded_count {int} NOT NULL,
    is_verified {int} NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (user_id, version, room_id, session_id)
) {strict};

-- Who joined or left a room lately: device lists ask for it.
CREATE INDEX memberships_room_position ON memberships (room, position);
