-- owner: auth. kept: for ever, a deactivated name is never given again. Only local users have a row.
-- `password_hash`: Argon2id, a PHC string; none for accounts without a password. `search_name`: the folded display name.
CREATE TABLE accounts (
    user_id {int} NOT NULL PRIMARY KEY,
    localpart TEXT NOT NULL UNIQUE,
    password_hash TEXT,
    search_name TEXT NOT NULL DEFAULT '',
    found_by_email {int} NOT NULL DEFAULT 0,
    created_ms {int} NOT NULL,
    admin {int} NOT NULL DEFAULT 0,
    deactivated {int} NOT NULL DEFAULT 0,
    locked {int} NOT NULL DEFAULT 0,
    suspended {int} NOT NULL DEFAULT 0
) {strict};
CREATE INDEX accounts_search_name ON accounts (search_name);

-- owner: auth. kept: until removed by its user or the account is deactivated. `address`: folded, domain in IDNA form.
CREATE TABLE emails (
    address TEXT NOT NULL PRIMARY KEY,
    user_id {int} NOT NULL,
    added_ms {int} NOT NULL,
    validated_ms {int} NOT NULL
) {strict};
CREATE INDEX emails_user ON emails (user_id);

-- owner: auth. kept: 24 hours past expiry. One proof that somebody reads an address. Hashes only: code and link are secrets.
CREATE TABLE email_sessions (
    sid TEXT NOT NULL PRIMARY KEY,
    client_secret TEXT NOT NULL,
    address TEXT NOT NULL,
    purpose TEXT NOT NULL,
    user_id {int},
    code_hash {bytes} NOT NULL,
    link_hash {bytes} NOT NULL,
    send_attempt {int} NOT NULL,
    tries {int} NOT NULL DEFAULT 0,
    next_link TEXT,
    expires_ms {int} NOT NULL,
    confirmed_ms {int},
    used_ms {int}
) {strict};
CREATE INDEX email_sessions_secret ON email_sessions (client_secret, address, purpose);
CREATE INDEX email_sessions_expiry ON email_sessions (expires_ms);

-- owner: auth. kept: one hour. What was asked to be mailed to an address, for its limit.
CREATE TABLE email_sends (
    id {int} NOT NULL PRIMARY KEY,
    address TEXT NOT NULL,
    at_ms {int} NOT NULL
) {strict};
CREATE INDEX email_sends_address ON email_sends (address, at_ms);

-- owner: auth. kept: until removed by its user or the account is deactivated.
CREATE TABLE devices (
    id {int} NOT NULL PRIMARY KEY,
    user_id {int} NOT NULL,
    device_id TEXT NOT NULL,
    display_name TEXT,
    last_seen_ms {int},
    last_seen_ip TEXT,
    created_ms {int} NOT NULL,
    UNIQUE (user_id, device_id)
) {strict};

-- owner: auth. kept: until logged out or replaced; an expired one until then, so that its session is told it may refresh.
-- `refresh`: the hash of the refresh token given out with it.
CREATE TABLE access_tokens (
    hash {bytes} NOT NULL PRIMARY KEY,
    user_id {int} NOT NULL,
    device {int} NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    expires_ms {int},
    refresh {bytes}
) {strict};
CREATE INDEX access_tokens_device ON access_tokens (device);
CREATE INDEX access_tokens_refresh ON access_tokens (refresh) WHERE refresh IS NOT NULL;

-- owner: auth. kept: until logged out, or the first use of what replaced it. `successor`: the hash of its replacement.
CREATE TABLE refresh_tokens (
    hash {bytes} NOT NULL PRIMARY KEY,
    user_id {int} NOT NULL,
    device {int} NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    successor {bytes}
) {strict};
CREATE INDEX refresh_tokens_device ON refresh_tokens (device);
CREATE INDEX refresh_tokens_successor ON refresh_tokens (successor) WHERE successor IS NOT NULL;

-- owner: auth. kept: until used or expired (2 minutes), then removed by the next one.
CREATE TABLE login_tokens (
    hash {bytes} NOT NULL PRIMARY KEY,
    user_id {int} NOT NULL,
    expires_ms {int} NOT NULL
) {strict};

-- owner: auth. kept: until removed by an administrator. `uses_allowed`, `expires_ms`: none means no limit.
CREATE TABLE registration_tokens (
    token TEXT NOT NULL PRIMARY KEY,
    uses_allowed {int},
    uses {int} NOT NULL DEFAULT 0,
    expires_ms {int},
    created_ms {int} NOT NULL
) {strict};

-- owner: account. kept: until removed by its user or the account is deactivated. `value`: JSON.
CREATE TABLE profile_fields (
    user_id {int} NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (user_id, name)
) {strict};

-- owner: account. kept: until the account is deactivated. `room_id`: '' for global data. Tags and push rules live here too.
CREATE TABLE account_data (
    user_id {int} NOT NULL,
    room_id TEXT NOT NULL,
    data_type TEXT NOT NULL,
    content TEXT NOT NULL,
    position {int} NOT NULL,
    PRIMARY KEY (user_id, room_id, data_type)
) {strict};
CREATE INDEX account_data_position ON account_data (user_id, position);

-- owner: account. kept: until the account is deactivated. `digest`: SHA-256 of the JSON, so that a repeated filter is one row.
CREATE TABLE filters (
    id {int} NOT NULL PRIMARY KEY,
    user_id {int} NOT NULL,
    digest {bytes} NOT NULL,
    json TEXT NOT NULL,
    UNIQUE (user_id, digest)
) {strict};

-- owner: account. kept: until removed, logged out, or refused by its gateway. `json`: the pusher as the client set it.
CREATE TABLE pushers (
    user_id {int} NOT NULL,
    app_id TEXT NOT NULL,
    pushkey TEXT NOT NULL,
    device {int} NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    json TEXT NOT NULL,
    PRIMARY KEY (user_id, app_id, pushkey)
) {strict};

-- owner: account. kept: until expired (1 hour), then removed by the next one.
CREATE TABLE openid_tokens (
    hash {bytes} NOT NULL PRIMARY KEY,
    user_id {int} NOT NULL,
    expires_ms {int} NOT NULL
) {strict};
