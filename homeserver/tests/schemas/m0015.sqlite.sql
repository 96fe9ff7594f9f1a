PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE IF NOT EXISTS "seaql_migrations" ( "version" varchar NOT NULL PRIMARY KEY, "applied_at" integer NOT NULL );
INSERT INTO seaql_migrations VALUES('m0001_server',1795774643);
INSERT INTO seaql_migrations VALUES('m0002_accounts',1795774643);
INSERT INTO seaql_migrations VALUES('m0003_rooms',1795774643);
INSERT INTO seaql_migrations VALUES('m0004_keys',1795774643);
INSERT INTO seaql_migrations VALUES('m0005_media',1795774643);
INSERT INTO seaql_migrations VALUES('m0006_federation',1795774643);
INSERT INTO seaql_migrations VALUES('m0007_transactions',1795774643);
INSERT INTO seaql_migrations VALUES('m0008_auth',1795774643);
INSERT INTO seaql_migrations VALUES('m0009_reports',1795774643);
INSERT INTO seaql_migrations VALUES('m0010_reception',1795774643);
INSERT INTO seaql_migrations VALUES('m0011_threads',1795774643);
INSERT INTO seaql_migrations VALUES('m0012_search',1795774643);
INSERT INTO seaql_migrations VALUES('m0013_search_file',1795774643);
INSERT INTO seaql_migrations VALUES('m0014_standing_snapshot',1795774643);
INSERT INTO seaql_migrations VALUES('m0015_event_ids',1795774643);
CREATE TABLE server (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
INSERT INTO server VALUES('epoch','3193be48');
INSERT INTO server VALUES('server_name','alpha.localhost:35063');
INSERT INTO server VALUES('boots','0f9c99d3:0');
CREATE TABLE counters (
    name TEXT NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT;
INSERT INTO counters VALUES('id',10241);
INSERT INTO counters VALUES('position',34);
CREATE TABLE users (
    id INTEGER NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL UNIQUE,
    server TEXT NOT NULL
) STRICT;
INSERT INTO users VALUES(3,'@alice:alpha.localhost:35063','alpha.localhost:35063');
INSERT INTO users VALUES(37,'@bob:beta.localhost:33617','beta.localhost:33617');
CREATE TABLE servers (
    id INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE jobs (
    id INTEGER NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    run_at_ms INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    done_at_ms INTEGER,
    last_error TEXT
) STRICT;
INSERT INTO jobs VALUES(2,'mail','',1795774643784,1,1795774643787,NULL);
INSERT INTO jobs VALUES(5,'mail','',1795774643899,1,1795774643902,NULL);
CREATE TABLE accounts (
    user_id INTEGER NOT NULL PRIMARY KEY,
    localpart TEXT NOT NULL UNIQUE,
    password_hash TEXT,
    search_name TEXT NOT NULL DEFAULT '',
    found_by_email INTEGER NOT NULL DEFAULT 0,
    created_ms INTEGER NOT NULL,
    admin INTEGER NOT NULL DEFAULT 0,
    deactivated INTEGER NOT NULL DEFAULT 0,
    locked INTEGER NOT NULL DEFAULT 0,
    suspended INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO accounts VALUES(3,'alice','$argon2id$v=19$m=19456,t=2,p=1$AhZFEoAVPVrzS30sA1snRQ$m24A/rnmH0bHiDJMQqJpIaPYnGGvO2NSrxX7J6KDf5c','',0,1795774643832,0,0,0,0);
CREATE TABLE emails (
    address TEXT NOT NULL PRIMARY KEY,
    user_id INTEGER NOT NULL,
    added_ms INTEGER NOT NULL,
    validated_ms INTEGER NOT NULL
) STRICT;
INSERT INTO emails VALUES('alice@example.org',3,1795774643832,1795774643832);
CREATE TABLE email_sessions (
    sid TEXT NOT NULL PRIMARY KEY,
    client_secret TEXT NOT NULL,
    address TEXT NOT NULL,
    purpose TEXT NOT NULL,
    user_id INTEGER,
    code_hash BLOB NOT NULL,
    link_hash BLOB NOT NULL,
    send_attempt INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    next_link TEXT,
    expires_ms INTEGER NOT NULL,
    confirmed_ms INTEGER,
    used_ms INTEGER
) STRICT;
INSERT INTO email_sessions VALUES('ea8pzwvbuFxbZ-SEqkE2yA','j2YNPL2Lqgqpu8E0h0szobUNkDi80h35','alice@example.org','register',NULL,X'77b8048d20269d7ce9bc9c9ec750d9f3b4c8d9a3cf99bd00cf5e619702ed7b0c',X'9a5449a39ab4145b87b5dfb65b4b4e678d514eef5a653dde6dbc55049bc495a7',1,0,NULL,1795775543783,1795774643798,1795774643802);
INSERT INTO email_sessions VALUES('qHwPvYQgCoBcvM6Kl7_FSQ','OntrsL-ghN4UE_CSazWwEVMRZCQ7S9-KqpsByf8G0N0','alice@example.org','alarm',3,X'ed3293e19896fb86c5067a69734cb98d18cb2598f6974fa0b85b367b351c621c',X'a587bcaa04b43b480280d592ef3b2acca2f64cc5292a467c874e2b67da24c729',1,0,NULL,1796379443899,NULL,NULL);
CREATE TABLE email_sends (
    id INTEGER NOT NULL PRIMARY KEY,
    address TEXT NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT;
INSERT INTO email_sends VALUES(1,'alice@example.org',1795774643783);
CREATE TABLE devices (
    id INTEGER NOT NULL PRIMARY KEY,
    user_id INTEGER NOT NULL,
    device_id TEXT NOT NULL,
    display_name TEXT,
    last_seen_ms INTEGER,
    last_seen_ip TEXT,
    created_ms INTEGER NOT NULL,
    UNIQUE (user_id, device_id)
) STRICT;
INSERT INTO devices VALUES(4,3,'MGQESDQNDM','Tern on linux',1795774643923,NULL,1795774643896);
CREATE TABLE access_tokens (
    hash BLOB NOT NULL PRIMARY KEY,
    user_id INTEGER NOT NULL,
    device INTEGER NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    expires_ms INTEGER,
    refresh BLOB
) STRICT;
INSERT INTO access_tokens VALUES(X'a5049a40e480ee8ed420900a8e0de8ab0ccd10a381d2758e9f975a02dbc6a4b5',3,4,1795778243896,X'6c947923da5b8d10e59efef4832838b6ee3016d0c213c95d29144c516cca3c7c');
CREATE TABLE refresh_tokens (
    hash BLOB NOT NULL PRIMARY KEY,
    user_id INTEGER NOT NULL,
    device INTEGER NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    successor BLOB
) STRICT;
INSERT INTO refresh_tokens VALUES(X'6c947923da5b8d10e59efef4832838b6ee3016d0c213c95d29144c516cca3c7c',3,4,NULL);
CREATE TABLE login_tokens (
    hash BLOB NOT NULL PRIMARY KEY,
    user_id INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE registration_tokens (
    token TEXT NOT NULL PRIMARY KEY,
    uses_allowed INTEGER,
    uses INTEGER NOT NULL DEFAULT 0,
    expires_ms INTEGER,
    created_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE profile_fields (
    user_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (user_id, name)
) STRICT;
CREATE TABLE account_data (
    user_id INTEGER NOT NULL,
    room_id TEXT NOT NULL,
    data_type TEXT NOT NULL,
    content TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (user_id, room_id, data_type)
) STRICT;
INSERT INTO account_data VALUES(3,'','m.key_backup','{"enabled":true}',5);
INSERT INTO account_data VALUES(3,'','m.org.matrix.custom.backup_disabled','{"disabled":false}',6);
INSERT INTO account_data VALUES(3,'','m.secret_storage.key.F3UHVWV2a7E5LCOdGU3SU7flIdmVHYYe','{"algorithm":"m.secret_storage.v1.aes-hmac-sha2","iv":"yjy3sWkoZ7R6FiRJ//9ISw","mac":"rSK6J/SsDL5Gw7NWxVG8tgZpqwZ9yihFl8bbnfHdLYM"}',10);
INSERT INTO account_data VALUES(3,'','m.cross_signing.master','{"encrypted":{"F3UHVWV2a7E5LCOdGU3SU7flIdmVHYYe":{"ciphertext":"+EV8AYYquCD/ug5Hq6tMg8CzT/Oytwru1Xkvp6hNQSh+WHewz4B2IOnfRQ","iv":"N1Psm2N3P9cX3AZkHktJyQ","mac":"LN8wPLuGUy1yx2clkQaIeYwNSbw/cH2W2ImNxir/yS4"}}}',11);
INSERT INTO account_data VALUES(3,'','m.cross_signing.user_signing','{"encrypted":{"F3UHVWV2a7E5LCOdGU3SU7flIdmVHYYe":{"ciphertext":"ASGP3ElaC1rp0F+vwwcMK7RURQLaKxPAZYk1fpg06GtPVyva7SxHuOfCiA","iv":"hzpmmpZu6f9KXRtD4C4fpA","mac":"XH1eCd7RKUdYSYxlEfj1cqA41kIicCDiKE+EqdP40wI"}}}',12);
INSERT INTO account_data VALUES(3,'','m.cross_signing.self_signing','{"encrypted":{"F3UHVWV2a7E5LCOdGU3SU7flIdmVHYYe":{"ciphertext":"T9IOIn3oQoP1XE6l8CuVvWk2uN1eIlgP7p4E9zYRYjlmSqy2smL2ShAV0w","iv":"/eJqVG6aHmkpBioYkREY1w","mac":"SQU71Ny7rv8tt3NPvs4NXqK14PkEhlKG8J78DSp7oN0"}}}',13);
INSERT INTO account_data VALUES(3,'','m.megolm_backup.v1','{"encrypted":{"F3UHVWV2a7E5LCOdGU3SU7flIdmVHYYe":{"ciphertext":"N2KBeQASrbGU7h6rBvDzARc9FtVEeL9IMWG/oLAhZmNhCI4gbf+CZ7imPA","iv":"V6OzAg8KG6B77HMDqoDzjg","mac":"v+4638BChawmxOWwik9jCZKEnxbeMbxIZ9VwRIkstv8"}}}',14);
INSERT INTO account_data VALUES(3,'','m.secret_storage.default_key','{"key":"F3UHVWV2a7E5LCOdGU3SU7flIdmVHYYe"}',15);
INSERT INTO account_data VALUES(3,'','m.direct','{"@bob:beta.localhost:33617":["!mzhfrG5VsirfQuFyzgeGpdo9r2COa_85KN1MoYW3MSw"]}',24);
CREATE TABLE filters (
    id INTEGER NOT NULL PRIMARY KEY,
    user_id INTEGER NOT NULL,
    digest BLOB NOT NULL,
    json TEXT NOT NULL,
    UNIQUE (user_id, digest)
) STRICT;
CREATE TABLE pushers (
    user_id INTEGER NOT NULL,
    app_id TEXT NOT NULL,
    pushkey TEXT NOT NULL,
    device INTEGER NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    json TEXT NOT NULL,
    PRIMARY KEY (user_id, app_id, pushkey)
) STRICT;
CREATE TABLE openid_tokens (
    hash BLOB NOT NULL PRIMARY KEY,
    user_id INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE rooms (
    id INTEGER NOT NULL PRIMARY KEY,
    room_id TEXT NOT NULL UNIQUE,
    version TEXT NOT NULL,
    owner INTEGER NOT NULL DEFAULT 0,
    owner_epoch INTEGER NOT NULL DEFAULT 0,
    snapshot INTEGER,
    extremities BLOB,
    last_order INTEGER NOT NULL DEFAULT -1,
    first_order INTEGER NOT NULL DEFAULT 0,
    countable INTEGER NOT NULL DEFAULT 0,
    in_directory INTEGER NOT NULL DEFAULT 0
, standing_snapshot INTEGER) STRICT;
INSERT INTO rooms VALUES(6,'!mzhfrG5VsirfQuFyzgeGpdo9r2COa_85KN1MoYW3MSw','12',0,0,40,X'000000000000002d',11,0,3,0,NULL);
CREATE TABLE state_keys (
    id INTEGER NOT NULL PRIMARY KEY,
    event_type TEXT NOT NULL,
    state_key TEXT NOT NULL,
    UNIQUE (event_type, state_key)
) STRICT;
INSERT INTO state_keys VALUES(8,'m.room.create','');
INSERT INTO state_keys VALUES(10,'m.room.power_levels','');
INSERT INTO state_keys VALUES(11,'m.room.member','@alice:alpha.localhost:35063');
INSERT INTO state_keys VALUES(12,'m.room.join_rules','');
INSERT INTO state_keys VALUES(20,'m.room.history_visibility','');
INSERT INTO state_keys VALUES(23,'m.room.guest_access','');
INSERT INTO state_keys VALUES(26,'m.room.encryption','');
INSERT INTO state_keys VALUES(28,'m.room.member','@bob:beta.localhost:33617');
INSERT INTO state_keys VALUES(30,'m.room.name','');
INSERT INTO state_keys VALUES(31,'m.room.avatar','');
INSERT INTO state_keys VALUES(33,'m.room.canonical_alias','');
INSERT INTO state_keys VALUES(34,'m.room.topic','');
INSERT INTO state_keys VALUES(38,'m.room.server_acl','');
CREATE TABLE state_snapshots (
    id INTEGER NOT NULL PRIMARY KEY,
    room INTEGER NOT NULL,
    version INTEGER NOT NULL,
    parent INTEGER,
    delta BLOB NOT NULL
) STRICT;
INSERT INTO state_snapshots VALUES(9,6,1,NULL,X'00000000000000080000000000000007');
INSERT INTO state_snapshots VALUES(14,6,2,NULL,X'00000000000000080000000000000007000000000000000b000000000000000d');
INSERT INTO state_snapshots VALUES(16,6,3,14,X'000000000000000a000000000000000f');
INSERT INTO state_snapshots VALUES(18,6,4,NULL,X'00000000000000080000000000000007000000000000000a000000000000000f000000000000000b000000000000000d000000000000000c0000000000000011');
INSERT INTO state_snapshots VALUES(21,6,5,18,X'00000000000000140000000000000013');
INSERT INTO state_snapshots VALUES(24,6,6,18,X'0000000000000014000000000000001300000000000000170000000000000016');
INSERT INTO state_snapshots VALUES(27,6,7,24,X'000000000000001a0000000000000019');
INSERT INTO state_snapshots VALUES(36,6,8,NULL,X'00000000000000080000000000000007000000000000000a000000000000000f000000000000000b000000000000000d000000000000000c00000000000000110000000000000014000000000000001300000000000000170000000000000016000000000000001a0000000000000019000000000000001c0000000000000023');
INSERT INTO state_snapshots VALUES(40,6,9,36,X'000000000000001c0000000000000027');
CREATE TABLE memberships (
    user_id INTEGER NOT NULL,
    room INTEGER NOT NULL,
    membership TEXT NOT NULL,
    event INTEGER NOT NULL,
    position INTEGER NOT NULL,
    stripped_state BLOB,
    forgotten INTEGER NOT NULL DEFAULT 0, since INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (user_id, room)
) STRICT;
INSERT INTO memberships VALUES(3,6,'join',13,22,NULL,0,22);
INSERT INTO memberships VALUES(37,6,'join',39,25,NULL,0,25);
CREATE TABLE relations (
    child INTEGER NOT NULL PRIMARY KEY,
    room INTEGER NOT NULL,
    parent TEXT NOT NULL,
    rel_type TEXT NOT NULL
) STRICT;
CREATE TABLE push_actions (
    user_id INTEGER NOT NULL,
    room INTEGER NOT NULL,
    event INTEGER NOT NULL,
    timeline_order INTEGER NOT NULL,
    notify INTEGER NOT NULL,
    highlight INTEGER NOT NULL, thread INTEGER NOT NULL DEFAULT 0, delta INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (user_id, room, event)
) STRICT;
CREATE TABLE receipts (
    room INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    thread TEXT NOT NULL,
    event_id TEXT NOT NULL,
    timeline_order INTEGER,
    at_ms INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (room, user_id, kind, thread)
) STRICT;
INSERT INTO receipts VALUES(6,37,'m.read','','$goNSYULm8J6lNXHUhYDYGP-PwOw38-W5vaiE6_l6TmA',10,1795774645327,32);
CREATE TABLE aliases (
    alias TEXT NOT NULL PRIMARY KEY,
    room_id TEXT NOT NULL,
    creator INTEGER NOT NULL
) STRICT;
CREATE TABLE backward_extremities (
    room INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    timeline_order INTEGER NOT NULL,
    PRIMARY KEY (room, event_id)
) STRICT;
CREATE TABLE device_keys (
    user_id INTEGER NOT NULL,
    device_id TEXT NOT NULL,
    json TEXT NOT NULL,
    display_name TEXT,
    PRIMARY KEY (user_id, device_id)
) STRICT;
INSERT INTO device_keys VALUES(3,'MGQESDQNDM','{"algorithms":["m.olm.v1.curve25519-aes-sha2","m.megolm.v1.aes-sha2"],"device_id":"MGQESDQNDM","keys":{"curve25519:MGQESDQNDM":"Hx2eGGmSwu7Y//Hd6uJNQ9zKPQkb//EGtlLsz3Z9QTk","ed25519:MGQESDQNDM":"nqR3N4QhpLj7YAud+gCeRea9pasQ9R8NOxzyJL4iLEA"},"signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"OfwMgqId4d/1PWpq+tCVzQogyY3cgG6M/1KXcIm+UJt2XWda3eEeCZtaGX6l1dY4IkkthjbGW2OBmJl2RNwcCw","ed25519:oA4m8973FLVuIR7Hw9zj0OUKxwXzxa2fTeBoT8E09Rk":"L1VFHPiMrSzM8fZJTqmomIHDLGqf4CqTOp6sOAF91rEsDj6WtxdgkAuDpKIgY9g3Bsk+X4Kp1fBP7VdQpFySDw"}},"user_id":"@alice:alpha.localhost:35063"}',NULL);
INSERT INTO device_keys VALUES(37,'IHXXJFLBHC','{"algorithms":["m.olm.v1.curve25519-aes-sha2","m.megolm.v1.aes-sha2"],"device_id":"IHXXJFLBHC","keys":{"curve25519:IHXXJFLBHC":"fL2+h09zicUJHyWEjXE/sLwyYnO8Ew2wH7zGDgGO+Tw","ed25519:IHXXJFLBHC":"vKpDVLxVNSu3xOdGQd275DWjF89HsZfU72v9c4h2ZmY"},"signatures":{"@bob:beta.localhost:33617":{"ed25519:IHXXJFLBHC":"aPT2iIZilT7qYNockgS8azT/SPHVkLlQI3FZi6bmtkAtHhDhPzs0b+269xIlClBW9eC3KntXZapgYT9v0pQ1CQ","ed25519:YuQpMjDKMdF5m28+P7ey3dh9i6om/ie2q/JWJHwuKfs":"ZkwVZl7ZmuBx3+lo6nwGZxWuAGa6akhFz8yvZzGVYOIz+2cW/r8UtKjWK5kKVXhKTBwpm3SL5ouLOqens6mkDw"}},"user_id":"@bob:beta.localhost:33617"}',NULL);
CREATE TABLE one_time_keys (
    user_id INTEGER NOT NULL,
    device_id TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    key_id TEXT NOT NULL,
    epoch TEXT NOT NULL,
    position INTEGER NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (user_id, device_id, algorithm, key_id)
) STRICT;
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAA4','3193be48',2,'{"key":"h/SB1rKikrTCN6ksfp+X9sZR7JAQZ5fcfSUPos6kyD4","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"OSX5GcR9WOT7iID55sX8vSeJf+vya0Fsy03rEU0x0E2xuF80VZlUutPaBXuPsydZys+2bzvWdruYxS5OJVGmDA"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAA8','3193be48',2,'{"key":"balfSPjV+BcSlZMTYiFX/qD4Ygs+R7H03uif4SvE7Qw","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"srx2yOgjvBaS7cYoi0/tJ02gf0SbhXhFGXXh5fCKqjwX0SKfG6zzKv4Hhl7L1t8aerAZgBclnJnABgYszzgRCw"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAAA','3193be48',2,'{"key":"TX0UWsr1BLm5GTIuD+L34BvE8tSmbnb2I6Dn0JkeYCc","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"CmuJr1M93TbxygUyZQSZoDrqCRbAsyY3Z4nlBkChUFH9I/hpa/XDQ0McRrpd7MxhOuCIpna2HDThTHQ7Bx5qAA"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAAE','3193be48',2,'{"key":"rYpAbAFG+E6dl1K8H1EOUojaH+V8db16yziXwLQPUCw","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"G5qFJAWuwoFldeQfu5L1deI/kP35B6xr3i/gceK88E3vixh+Ku1AqKHyppYJgj7yxCv50D8CXnkuArPdCwJmBQ"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAAI','3193be48',2,'{"key":"9NOxxKjv5TC0ADGquy0p1F4Hep1W0ugdIV6WCS2wqzQ","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"XbDUfGxe4Ny0JMzSlLDWY9xawcIBAXlNYb5pl9JQfa4R7tLFozHZA89FscXx1OreqN1QZXvdX0pMwuZqTo2zCw"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAAM','3193be48',2,'{"key":"YCwWOUfZ10n+6/VeMH0yg04TxFkmqM3OzSyRbdIL5xk","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"da7RW1GCJkeXc6LajMZkc9EDg7KhyJTT5Uyg8WdjiYcMbH760VDM/sOjh0+o0z4kURMa3ArajNxz8W52BwXnCQ"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAAQ','3193be48',2,'{"key":"8m4GbbS7EiYRez2QPkYXCA4JE2DVN1rqRwhAkt3lilU","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"fbGutSDFKjvDnGfTdyAuDWOSvOJGJgmcFmeLYoJeHcsgxF9GP2Hl8tfAc+6W7LQYn90fDrXT72msLU/rkrSdCg"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAAU','3193be48',2,'{"key":"0+os+X2ddQxTwiv/w7liQPcoxcMIbFWezF6aSMTok1Y","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"Tw4NeD+ciSTSwC7IG5E9lnAg7M29muq4thgYOvJOx1FQPkKT+ns8Weczwr9Sk5TZz4DaUIV1tt2OqnTr2wagDA"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAAY','3193be48',2,'{"key":"0Lc8cVpiAoYXdyuZVXGzzvkrnajtoSEcn/Iu/EmHrQU","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"Y2d4WHu6tuT8CZdgu/+/SyJ9AodoEahOdasNEFc/2wgXeNAmDQt2gTIjmukVvvEx4CGR979w3TuNSXeI554aAg"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAAc','3193be48',2,'{"key":"CVAk5qyMOlOBZl2IfaDXNNRtODPl4inEJzCp5u6y+Hk","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"6DToIiEbXtIgdDS9Bd11He0LYaktCACDU/TFbaFYz0EDSkcYajkl7e61HCgttno6B/djhWLqLKToUC3O8zkXBA"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAAg','3193be48',2,'{"key":"wv8rVEYA72jtqSunr+LISV0UznoLtVz0KJOdSGLcYVo","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"bwUkfJPH/cIqy4DFm7H19/yO1DZ4mfneMJgje2aLGZKc1oQ6ntznotF9Aeut7yg3DN19Ft6kIQo23DJRXbpBCQ"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAAk','3193be48',2,'{"key":"/GF50W65sRMm08z5UusBB+hCO/QywjL6dgoyCRJahj0","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"ZGWOjSHWExxLu/fHE+SLWP0cM7AMKfjmr8wjKUY87R5zGS6jBTfnLkNlS9eZvWwfyNWp1uUApztcjHeierXeCg"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAAo','3193be48',2,'{"key":"GsNWTfjEHRDChaKBYC7ND4xqW+KqfWBEpEBX7xqJAzU","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"94Zo54PGpZLMQ+b/fUTa+60/rhFkQeJ5P7KYxKksua3WRKImYwZ7O+5+F2cZ+T9bOxgQBwrliSLtTdtopu9aAg"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAAs','3193be48',2,'{"key":"xehNLORw2PqoCpKpGr0eUqbHiJJPo6NcamvF2w4LJEw","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"T3Uq8os6yTg5vi1Wbz9VXe9Yd6LOElq6E0MzynWRSTeOPimrP4bwtyt3q+BBXlCnbdXLh55p9rO0dRtcAUqIBA"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAAw','3193be48',2,'{"key":"2hltF24u3JRV2C4OOqu8VED18TnqF3CpeTrRNIJQ0R0","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"6HMZzEExjkbW7z7wDkt1ft88Uuk7BwlnXXKGFZTasRPzVH35Jwnlfy1lZIq3V/mbHAcpkAQECPAWLW1TAN1yBg"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAB0','3193be48',2,'{"key":"MXfJozNLVADnc87qwB3dDxMisd9hDQx4YPqculS25DY","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"P5kxaxETfGSM6DQkL5BkYyRnGdZQ9LBSgSf3fVB2waCUIUA2F8Tr3ItPtgEnxV/L25UkCj78yT4T4iQ+Cf6UAw"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAB4','3193be48',2,'{"key":"BzVOaGYPwNJAlfe4V1adPx90CYJNKmoDW5WoiOJnAwo","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"g9/M1TTS5LgYjDMN4avhtdr0w4omzQkgP6E70JwusxQMDfhQX6PEohX1mnL+MEb7CKf/+nkvOD3OOAMdHKbECg"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAB8','3193be48',2,'{"key":"7WMvBNPZjVSgOSqvmq48R2FX+cmtIvWqDhkSXxuc8UY","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"5k+NhidIwI6OC5cHW2pBeGTVIDpwIxX9VEH2VwR956CoEvgv9ui9KuoGCP+9r5/IzOcNCxYYHftXRsWDG8JNAg"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAABA','3193be48',2,'{"key":"4TIRDnQrf/QegZBuL3fUtxVROnPExS+KgehDEpE6Qw4","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"Nrmb+MkWHgoy/rdMO2YH2zUH4+3oPQ6QlkZds4S/FcSB881nR9twEUg4Nelc3e749IqZ3HUANu8DVfKMXtEsBQ"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAABE','3193be48',2,'{"key":"WuwxgdSGCxnteOvmgiXoI/QQnnlDYUj8DbwsV2oygEM","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"O298TfBOQqQKfOIVR5WdMzC3v7ntkMx7Tsysx7aBThw7O5QfaDt+ODfOTO3oFMUp53dY4ESwvYtZuUrQ17gjAg"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAABI','3193be48',2,'{"key":"IELsuenzLd74Robjnu5owEO2CMz7lvxQzeirIQa8VSI","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"nmcpQWZT48nU4Wf19eWgm01lgX6UmcOPEBFfrmJkrQIngM0TwksRNw/WSZvZ3CCh6oucQbhZJlovBaKcH0CzAw"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAABM','3193be48',2,'{"key":"phb7vipQV+YLWp0OviRRzNRCYpnPuO6MiLjlq7RavlU","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"c2qDOM1hO4/uEfOLGt00T0Eb4mu8sq3WyUEGBdPg/Y0B17znHFKYnour0RdTkalUaokrbOLCieiXL5lRvgaQBA"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAABQ','3193be48',2,'{"key":"qEW2FRvvvctxvCyl6lYPTlnCYbJGBGiZ2ucDxLchgk0","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"OIf0LH975vGZqZ3JP2nlNuwImStcoT3znHNsGtNry6YE1rc0CP8w4enlXfM/DgXEAWUogQ2L1/Q3nwxOm9GnBQ"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAABU','3193be48',2,'{"key":"96ai48zTnfacqNqIBukn+kGusKuggSQuhE2bCFa4X38","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"7zFAemWcifToqX/9HX4K5m4CwpzXzBYD3Yz/TFsKpNL2gXN08EvtiJS06IzSmyh3l/NEMFl1sIEmx4maQkVvDg"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAABY','3193be48',2,'{"key":"+PAmvtGJew7MDeZdetXEuwBmep3g6mhZeMaYdNlMwXE","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"pbpkB7j9Bd7274C2Bw6SI8XKuThicsJ24sAiaByQB+OKC8V5kgl10GeZ0yBWVqlCi+7ISS5l72X0UZHwicGDDw"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAABc','3193be48',2,'{"key":"O+/viuX4R3DjY/MeIx4BNoZhsXSlOhfI/BX4Rnx4BmM","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"mU+tlXBU3v+E3W6JxdE8YRiOHUkTq3ipEEpVoIItbzBu4iCLdTTgpKst8tgZS8Ea61Wil4QgWeDecyt0/ipnBA"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAABg','3193be48',2,'{"key":"2GC6m9tKKO/w9Zk62v0/ZWdaKJe9G+lFRQ0i3InuDEY","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"V8UmgmBYwyl8fWmFyOey5xUOabT+jiBwCKpYPnxtsa3t1uXax0SRpnB5hQHIjKDKuoNOhA5kFmqsMdR6h52ZDg"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAABk','3193be48',2,'{"key":"cohjLEjqCRs9xWjGOG1sNJR2ZfTpKLwexPikFRj1dhY","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"++H1cwE1jBZ2MHwgBLu5ea5wrC3HLlXugqBedvgyf+s5x55/t6+0hwwRDT/VpA7Gbf0YulOHMbBB1e5iH+7LBQ"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAABo','3193be48',2,'{"key":"BMEPUVyK9FLshxIOsuavOuqRmGwUXJNlOg64/Pw+P2o","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"lUakgYtvtmDOUe4XCIsHfhKFfcbXNCVf74I0kkjFPfJRd/OQUNNFq6JRulcYCWu6CKIHHbfUQfkOTtakObLLCg"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAABs','3193be48',2,'{"key":"ZM96rjy0FPKsNVZMDm5Ao6S9ZPRkC33u6gmu00TMW1U","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"+cy13AoOZXegiLZx9sI5S/fz0QsrdtIeA7WHrNeS8LxJb68emNF6iSUuK/P+jM0wM1Oz8gFZASO10rl6Or5wDA"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAABw','3193be48',2,'{"key":"dL+cJUlUYOw+ANeCt5S80b/tJ8mBdN7TkRTJ3RZs0Xk","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"cLtvE60t7+T2JP11kAQ5UfJMhRi+z+aUkRBlEsS/jLXpyMacxIloCpupcd5pl36wWCUGy4mtFvCTKDYuGoG1DQ"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAC0','3193be48',2,'{"key":"dYihUHELkgdh/8wPTvnGkwqA3mllok0JA4kDjT5gmEs","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"mxXvBp3L2k1sefr/Vz/gpukvO6EHnNEObsQUVovKXnLeoBTVZzngWH5x9UQuMCmyku/fZJPpDgBpIuC9RymKBw"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAC4','3193be48',2,'{"key":"e8xR/rBgFA4FX5+4/WfGXEbrbba/Btp7/YjmXZqzLRQ","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"rHAypPqyagtjFqKwBb4lPM/iis6HkY1Z1fd/07ABKQPgVJL4MNFfGKJGHu5gXn0uejBjdbbOACgNGYb7CdB3CA"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAC8','3193be48',2,'{"key":"fopTJGKFFIaDaz3rdY9PSzbg/xurb3dr0gF3XrYfChs","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"NM8/J3iWuocuOqFwLXivPq2MHClndgCFjR0/z/wrzUPCQOp4hpEQJDHPC25gmlkthdPwK+WFRb/3vkP02DXTAQ"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAACA','3193be48',2,'{"key":"gWCkfdQRSv9tUoBJb6lewCevYLqMJy9MQH/Ocl3ehX0","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"+UcgIcwHaxQYvWbUDXBR7XGmtWE9GgRy0C92r6RJ+hJBcEK1u2882OrgnMkKICD+02mioxFKi1sCuh/VY1v2Bg"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAACE','3193be48',2,'{"key":"P0wIbkRheWaPpKXEa1r/CmDFgVTz43Ex9tk/lfnt8VQ","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"aGUrPQscimwA5ZFD1V9oK3l5KcdOOlnNoxWcMHZBJ29yLbozNv+HSQwzrhd8P2rfRC74qFbaJ6AsHVb2dmpKAA"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAACI','3193be48',2,'{"key":"hBtibUtlgHiUU70kgE21tgY3BEa0eAJe6r/9gGZPtHk","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"ORFDcRFaeYZs60MPqgKS94OSmW0LzIKjDCNe2tVljsnIVO1YFsoj9fh2e48+9uVEzzZjuhu4rH9n6FRTYZHCDQ"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAACM','3193be48',2,'{"key":"+fx5CwqTunTs1hvorFI/BtBPmoGy2vVrSRsFHAv3+mM","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"SBHD56V5adwQZt5+IRsfaMhuhTBhyVNc6Ueo7i/p5u0cLOAlSo1CzkaLpILmbLo9AJEIxujkse3hUKJhHxw4Ag"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAACQ','3193be48',2,'{"key":"/U+RcuCImRpcttvtviMDUabnoQ/QGIkWJjlVnr3y4yU","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"TFii0yyoTNs8EuhFSoY7pEIGwsCutXnmgwdiyK+YwfvgZV7QTpFhDTK3MwYFC0KpJvTCKHybe6cgWUKToleaAQ"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAACU','3193be48',2,'{"key":"/ABpdIjEVQzcSnwdtSaxn9wGJZjvwAW7xBIX/DXHMkk","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"D8RGDl8YIqfZShq3Y9Qru0Vvurxmc7oy33PV6t8iYVWFDDTp9aoqJvhpPXUJRuV3XjZIXFALShKHjM6UHIi/Dw"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAACY','3193be48',2,'{"key":"bm9pw7EB78Df9+qmNidztJlFQqeP2V/NFC8juTVdnhQ","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"fSXIk51tA9ed38ljXQkPAxzfHJxaI0vOrnL3S8RX+4J/UblVRBn+ACyc3izTOkC+jbc8rJfXW7PdMh65AMHnCg"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAACc','3193be48',2,'{"key":"XJT3khu+3uyCmeFUFQObmApPSmN8y65RKDvzQE0WSSs","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"6fm3DNL3PDsKwSB2lKLD9ZoeCfPCMFZSBfCrOgZg28omKtxVUFDKzdD2d9pxzWOkRIGcEtGPxvpuL6iXVkPVBQ"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAACg','3193be48',2,'{"key":"7vspfy4WbFCPVox5GWrYRYVMyUVvLUSb2AfTsUjEpAE","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"CVAHI5AeVu27HJ7345xE37eR11zOy0gPR8WvTbfSM5rRRTqxb2h23J5wc2QtkpzWbsGflaQH9OS1nm/S2hfTCw"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAACk','3193be48',2,'{"key":"opEeYw6jsUn9grAg5/BG8Vxra78rnKaYEtjmX2pX0Xk","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"/oSDsoYKTwvgKrcdq/mpApbGAhw3OCMNvc99+YCO9Tn18eGkwfD5q1BZfigyqQEN4CoPS04lZt0URY2a9DklAQ"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAACo','3193be48',2,'{"key":"TeTkenyucqx1JGb3IK8wNtOgthh0uEfAmLMeadlthQs","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"PDeKb8yT6IZytxZShs7GIkcErN6ax50l0LSHeNaiX06/of96FbrVafhCzn0PnoT1PS9iKkeOReplBBoK13kUBQ"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAACs','3193be48',2,'{"key":"0B4xhbjM81UtptQ7+zxnTFMArVM+3RoRsmSH5HJqP2I","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"26xbnIvxKzCNrktBJW1obGso6D8/0UzO+b9mdpzuxNVEX2+gISVXsxe9u6P/3XfsF/ECbJ1J9t7uruKgCvLABA"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAACw','3193be48',2,'{"key":"H0nhfmbPEvg596BVzoA3w4s21minvRakMmLqhn0SlxQ","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"ZiIs6ytpJSvaXe9j3Z9A35nSvEp+PBhw7RrU7oanCWXfWz1Y9PEFpR9zatW4Px7df97FjvniBE/XE0hqcBJOBQ"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAADA','3193be48',2,'{"key":"I+BNNIKmghyr6JAogvoFYFQMziiCLQPE9yq1ZIOjOzI","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"B9PLV6toMhK+vjlek1kYZrjAy61zQEwYfsX2LsJTcPu0NBewXlO9VJEOUsb8LiuDfFKqeUN5hjWdewjoncvfBw"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAADE','3193be48',2,'{"key":"OHKQxP0kx909vN5Ms3rKjGYGFoizelsLmhEdDnbgSiQ","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"3wQejOAmdeHjnFq2dlYa6WE5TdfkbsHYI6L7Qir9hLSbcimCzZOdg+KCcPjon2+jOEnrC67IV0IKyybkfgfjDw"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAD0','3193be48',8,'{"key":"VqP1zTdblQKMh6U/v32CHY13rBLDbW96WgqE0Ejy+SQ","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"hikU2OLL9FbZ1+MnugviTpzAmKwu3og0PstmTZG/gQ6Xuy7t0TqkF6WBtZuJZ2JXgdMdkH8O+eBWGq92DPUjDw"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAD4','3193be48',8,'{"key":"aebU/NYVrqznZHJfR65q2GZHoWp4HS/yB+7MJBwtfzY","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"0z1hZO3v2OhyDtl22AJqZoQ3dOoOwj/HTExeNcCFC6ArY4ioNqTx6Sqby3e/1bLXGTGikktc390juDbHw6lQCA"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAD8','3193be48',8,'{"key":"GwyAzsFPltXuqoWv4rFsJUWeheJIjTL7bIW+YdkfaFA","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"yMbUMg4MilRUpELzqUQHjMd8sJfTLl/6LaNllysFZUtP5da/RGGesLLn0an9FfA6f8zy+NUgfLvoLB6/5D4cDA"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAADI','3193be48',8,'{"key":"CUEdsOY8SMBWAX/rfsFWXZca+esXkaX34qrFPEzlYnk","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"RhCl7md4f7faXmH0cjx+B6R6Kem1eZBp/cfatHJXorTVyX74B4LpqZPMe24KTUszbZSwCqzIPkhbOs0IKqa9DA"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAADM','3193be48',8,'{"key":"PoK2ddodrvxD0gmm/o+dYok/UhT+uwUsjc5orrSV8Uo","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"AZJVKpnLLkJs4B9E7nDSlJfbGYJSLkeezpOWlCxDiIhh8RauZNT3Wjf/7hMIYkI3AJCeFDJzWgdiaj3/pkVsBQ"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAADQ','3193be48',8,'{"key":"smThTKL9ILvucdyHx+UeiLgi26YYMmhR7bBT9OopaD4","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"u4fE+NEjPWXF4tErSQ1txVhiYGmLXa/pnfep4agUETECE8BMQin0PawPiPydB6PlOLU4a20suVjWXGjUXvc2AQ"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAADU','3193be48',8,'{"key":"VVlR1/AnsRLXLp0ZuV2Iq0MEo7x3Zqz3ZBKJnG4pUTQ","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"wG87QluWq21Irs+7jY/5nEXcVt012c4PRI85pFeOMKeG6SZWKD1NqoHWs8HcVupLd397RkdL7mAkmz6JbQIOCA"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAADY','3193be48',8,'{"key":"64f8Ik7JUFwiJ+q+tfioO/77YWeGLzlSu7AN+MFOpy4","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"vX2kuKFMwpu5GqHYsCOgvaiZ4xLluYEeYPfAyQnmoKLVrk7BpdO+t1AYl6l87SfqKZOOy2hTFVfAMlUPZHBiDA"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAADc','3193be48',8,'{"key":"rF/4M7incvq9G1h6YK4QbIpYL5S1XEFkqgyN42v+ZC0","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"siw8v2ddb1RSPinvdd1neYXzVX0Nt2VRquUZ8QR2ZxUxEmfKsRqMrC/rABEQ32KnDjKds3VyGy159lYXOO4/DA"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAADg','3193be48',8,'{"key":"Ehk3ijJK6jwF4d4ZujyEb/uBp5E3MY8HXNkZ01HwGRY","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"395FVkmEggC72kADGtGZF40lzbOwRprjFMMHBv+/dnVZqNU+RIYyveijHtxtWV9ud5PfvO/l6rycZ8B8JPAOAQ"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAADk','3193be48',8,'{"key":"h+2Nz2x7sjGdoP6tB7RuQ591nKZcLKuTVANymJpIuWE","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"TCYLomGJPQeodoOq5O04cQQbdGqIKPN+7ng8mQ4zCR3EW0bctoTqcMbj0IjkeNnyfa46IXGqulryIrktFhvKAA"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAADo','3193be48',8,'{"key":"K6QiywEA0L1k5Axm+gfRCzk9lFBU/Ne+v4Nf99AcNns","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"EDmWstNoOS/GPNjz6iqDMWpX53acMV4UM0Z5EspWMGfYkKM/ib+n/hI4ZQ7mDTfpd2l2yZy4A00BJ/uU6yfvAA"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAADs','3193be48',8,'{"key":"v1Oorp25cnZXQmMQPuJiGXfxmQAAZ+PBqqFoByfW1VE","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"Fpqwz4Fs1CNz9ZuYe28hHQVmgryPaiUO1ZGZhY0gUOhMmZcpFbK+PK4Qmdu+bNl52TqS1Ec7ruJwxKCdXVHrCA"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAADw','3193be48',8,'{"key":"PGJiYuIjFqO3gf++ZdeykQ051ZvRYCBJTVwlGdyNSEo","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"RneBPgOKYEQzU7yFGpIenIyatpslBOT+DAd17fOgNR6uQbMY0P6kGdZHv3HwMCixvc3UK8MYPgv8UddIwv0FAQ"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAE0','3193be48',8,'{"key":"2HF+bU6Qe0iaVjiENNejB6trK/YHYjs58mliXZDaJSc","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"LSFnNIytvEf6Cg3xMRIsw72IItgcrFvLWH9AfTDmlZZgQv0g/1sGgbGHpr6Zz4GwUtUrARjqAzq2YAqmJ6mrDQ"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAE4','3193be48',8,'{"key":"wB4h+GAzHAOLwHrtt3xI//u6UWSH1KC4iTcbu0nbPH8","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"Nna+mb2mN+lVmvaQEMXglFwjuOUpAC3z1C2/PwAso5tQSd8LrZZFCURi9g9kkktT5VXBom27UVBL+MfMMaAeAQ"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAE8','3193be48',8,'{"key":"T8cu+EcUbYFValsB1boL+ZSQHa8UZhaeQc+uHXezel0","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"pQ7SuYDX6JXK2x4I6eQpd5GZeYgJ+DYvl+abWDYE9DJdHLnLihJApAP1gg96s7duOp/KUMD5FoES1ljJ9zqKDw"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAEA','3193be48',8,'{"key":"kRnsapMzOeSx/VntD6mcHz6drYE+7uTvxdmkKaYN1V0","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"hUbg6hMYOKCMasoK1jk4KoUauI8luoc73K0bMN4yC7A0mb6L0s4p4wHFltu0y+vx0a8aZI821LXE3CoC4/B1AQ"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAEE','3193be48',8,'{"key":"wu8mAkF+Yt2AIHhzPa9tDp2UmIlhlnek9IAw0v54R2c","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"xuGQEHP1ClEyE9G9Sch3dum6jpJcnkaZtmQmEi2YGVJadZ65yuAxcrbXB2IN7au0T4XkbxViB0+PWxhGskPNAg"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAEI','3193be48',8,'{"key":"5YT4d4kjJGQHfucbDoQ/fDJXiap7UqdbtURSOXl+eWg","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"NzmC+3Vt6ljmpqLPj9tEogCLAE4BjNG+bgBtAzMhphzx046imeJQ6HHZLWj8MfejL/0oNwm7ANv2nRodMA+PAA"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAEM','3193be48',8,'{"key":"fxI3f+ytH69cSCJp1wIji03l5HXdgp/ikylsElYWfEY","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"GnYdGE7SNikCuOXwzeD9lylBsw6qcs9e+NXIP7VBN39qCCguCwwcRcEhz/adKz6We4K4RoXY1+B9kWfDQtc1CA"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAEQ','3193be48',8,'{"key":"JOJ/YoBML4WhNbI5fDuxu6FIzEvgyTerzTGFb3dCAQ0","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"WcQrG+CQmyL/lpB2Q9TAbKE9kmcL9C7tUkNxJMqvdMeOgdFue+TEb3U0/pvmLhZrl6WDWokPNi2ol8sXoCOrAA"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAEU','3193be48',8,'{"key":"fLjxpK0/WZtWh2icoFMvGaMDwKFxbDCk6GLV2jfJ8z0","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"nUiLw2KshWH/cHXvDuGdYA9CZktqDGDR3/UaTKeBvv24ofoJjB1/ZvK1kiGf1/5qRGbTv/H4ugpCAc2zw9C/Ag"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAEY','3193be48',8,'{"key":"1IMhgNc3fIZhnir7dU3Jf7PnOskyy7VolnLZ6cEB80U","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"bb6PdC5KHCUMTOG8v7uh+WPeeE9hH+WFcp8hz+VHxwMwpFtS7WxJm6mIPBbWYUaIgm3UiJM+MsJ+vsShKlWbDg"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAEc','3193be48',8,'{"key":"ShoqqXaOnNgL8jiflvRSBjpJRNQzNmWJM+T/7HVvfWg","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"05hFd+SmmT/sllp42/+lYdvAvrIQ8PhiAt98G200VfXRqfDwYpGkXtAHibTl7ejPLE4rc08bDsZa3cIpTAxcCQ"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAEg','3193be48',8,'{"key":"HpKZ45fmN70q6xD9Spp0njrPIN6pnyr4Xcdwm9ga9wg","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"3A11ydnUdH4/zMzo7uHTEDnaym/AzNDAFLeWv1iGd5yU4ZnWF5J3r7twp8DfraPMJ6UDHbrUE+Mjne8UzN/JAg"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAEk','3193be48',8,'{"key":"6Oj8nV44xVUf29mz9idlkGdSnL5i3W/cliMJYjB2Tns","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"RvXK0rKjlqpLekXNK5hT0i90BJQTfsBwoD0ZRiTs6FG93rm79KB/EuycfztJmpAJffQE2dU5xSIonuJBni0yBQ"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAEo','3193be48',8,'{"key":"ho61k+OaFlXpE7u9y476Eu/SxSqbcEj+a6A/RCb+CWE","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"VlGUFkXdn6KMjFY7kbtY8RMJLbV/MXK10EOt9bm4ytjyImZ+ucr4bIzkqgRgDVOI9eKBPSGmZxXl2dMV3kKQAA"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAEs','3193be48',8,'{"key":"BlQwPN54QKfZE3NbnNrT6Q3saPBv97XthVMTRcd/MSk","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"nNvbLb7zYyjzC/0XqHGZQEwaY2Gy9jSlckwe/GEWC6QJcMsqp7nmQM8TtMu0MCCh+eNe9iXp+TJglilYYBfYBw"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAEw','3193be48',8,'{"key":"ibM3HSv8SDZ8ZaqToteDaGErjH3fzZlTmnC5dbsX00U","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"o+8EYKgUX6jL4G6YJo1KPmcOJL9nXXJ+tQmqcwWeAmfRZHVAhbPNCY1E+rN2CPRmWCZvOMpCOKg2PtdWAR41Ag"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAF0','3193be48',8,'{"key":"OXJSV/QLQxmb6poZ1te9BEyuX8qMV5i948ZP1u3xp28","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"e20i59At9wnDK3ghzrSDYsyQkg3Gt3jgxzzd++LyfLXRY4Gkbzm2K8XDWojS8Rz4DVaT3iYcnaWwoh0unx9+CQ"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAF4','3193be48',8,'{"key":"NEL0m93MBP7n0LgFub1Z61O/qCLoIvEmxw8zle89ZxU","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"HfeLA6hVPM6gxKhltzYW40GZrsEFMwBtnpW1fD6lMyQbuc3mrptJ8hNVChTwFqpAPnOQVe7UeiuVrVWgvN7SCQ"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAF8','3193be48',8,'{"key":"ybM6WZvAIGLh1HJG3iTnuSRJY865FWOmvnUtiKljQEE","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"Dr4Ve/v1IUj38zXkKMkiz0Vb7NFlTxGHRrf/9ks5VKMwpLWg1eDWWUednDvo+vRS6tx4P7fuu693g/iq4qZ+Ag"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAFA','3193be48',8,'{"key":"iYovspvDJNxtccPQ16Nwgg4euz5xVEReUuV9spoIZHA","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"LIfo8Zv6OGSp/pLDMWUK7WGi3fBAcrCZm5BPXXGiVNukDWke+2WzfqnHQQWqHxSXo0LHymf4P3yXUp+XWjRNDA"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAFE','3193be48',8,'{"key":"Lkytm0jN7B2wH9fhaOTJWPlFW4jlFlMq1celA4QMDgc","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"RbtQDjHPz5U6212tO53buXKh0V8d795pcIAeHlD3s3l2IgVn2E42thwIMmCyg0ZAy2dwjsPijJuBpw9hsy12Cw"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAFI','3193be48',8,'{"key":"gf6mSBRQf7Ga/pe/mTqTI7zAmXsSOGCmghszyLPlZDM","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"lgqfDb4iuQGJM3wlKVzu2Pd+EDXYGeP61FXNhuAPpdoZfS4iMaY6uMM7pvwBIXrtqMMFKPswXCOuIn+i26TiDA"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAFM','3193be48',8,'{"key":"bHRBY2DajtiMlB+o5WBjijlEqsg+m7pA29ikmOArtAk","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"0NlZIcXdzuWKtmgRP5b1GXe1iOHjFqDMfkVDRTDqFbPRVTKPucLkqkyXL5it5iLWm88oiutuoo2VzJAm/aJkDw"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAFQ','3193be48',8,'{"key":"HHWvDBEGZap3eows4AdmUyuBfU7neYNz3aqF56vIxFQ","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"K0p+auW36dgLV7sdTVenWM9NiBLYNcw4nppMr7O73eeXGgpy98jn+8+SJK7GeAWD+wwO4MOOql98F9J19GCjBg"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAFU','3193be48',8,'{"key":"IHjOD/0VqbaHA9Uh4t/nNmjFLFvAlq4njj6N3G9163E","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"1Z9dX5VixwR/uVkcwtY1QYHPWulVcZUEBGKeGtMcRF0nIEqizZDL9skSLAZfWXLGWIRmjqjome/CLF4Qin8uDg"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAFY','3193be48',8,'{"key":"G/bbLViNQTThFdo4jvVnYSJi1YH0PplGmRQJo7N7aF8","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"/GHg2iY9LjmcxlbPFVJZIy8peyWCw1UE+WpA5akATJhuUMYY3HT2YfUiUGSimkrboAJ4LfhoTV0hSyttvsS9CA"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAFc','3193be48',8,'{"key":"JtGeTBu9y7CzmCRkTkgcDWgvbrF4lWQvF86behq7Vkk","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"eg8NaStA2BYLE2oqEeIu9xuKuv/8aJsW4AiElfmi8JfKhqAzTQKy45pDN7la1cEvoU8B2tydqtpsVcU7njKZDg"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAFg','3193be48',8,'{"key":"OJEM9majmr6YgA1/00YLoKHK2ppauOr5swPPPNrEgxg","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"VML6iNRMA1ABTbB7C2NGRbQmF6EQYOw93JAZTr50XU/7nO4P2GQ/5d0jy8a2p/IynpL4W1Ju5BkWxoC223enBw"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAFk','3193be48',8,'{"key":"RkvfC79hAUHvPyyt/r9RQbtfXNZmO6rwJ+BoraeQnic","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"qheil+ORFh+PQJFIG10KAXQJAkC3JT0PM6hxpjx1gf6pYHNz1qNpCbuPHoLWv9PTCclxMGG7tGULCaLBGxS5Aw"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAFo','3193be48',8,'{"key":"6FnlexYePEwIr1OwZG2cN4ssXtGowtdco6bwMhwhMjs","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"K14sMYOrryPaOWHbP1WVKM+JxxTI53zvE3jHiWf6XQwK8fcG9Yofx90tuwrp97H0CMh0cl8MEgkOfSwnvaQEAw"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAFs','3193be48',8,'{"key":"Q40VKcHRN21jn+ImlTzz/d1jGoPjJ7G8GDw6HPWOmVU","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"y0P3+hoOTq8ddEqJTmb7VsjpKUSQzmUkLa3m0w0CzxhExub2FF/x6dPBZmSVLF9ZPexjBBDx2DQwuAL7V461DA"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAFw','3193be48',8,'{"key":"XDmXWrga2j06V5mC3bxK2FJhi5wH52DBKep0y/hkNgA","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"sMUNzLqgdCGB0OxquRWopnIQlROeFOE8LKJ5k6CunaES1aDj3h4KCeDYasTld2ntF9NqMALhklAhTeEn38ctDA"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAGA','3193be48',8,'{"key":"kJ92TwRvZ1SLx5gL2bJag4DKMTw46FtbLFQfLPlDbBQ","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"3y397D/ljXZxrpZD7EDf5LhuahgNiSstkE38q0ZorLvkjrDzwqnTGJPrSSTIBVwiX66nFHbECjdr9gARguWFCA"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAGE','3193be48',8,'{"key":"tNjg3aTjsstnKmFQQwnK+JIOOz/uyok9dAEL/RpoqxM","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"mnFfx5nmN2A0FEVgQtiVcOPMee73i+jx7q7IuulPdOR3dwz15TfyOmMxwCXGHsVhl01/l3enSAf+RWEVZMLnDQ"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAGI','3193be48',8,'{"key":"dvwS4zuKJi3ycA8ErzmmbolIMBYGkSE6igvBhPPtTiw","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"paFe4+5582bUO/bAnKFohMWsUTYU8NlZKipV0J2AFGIgJFS5EXnKRpoLFxIGwPyz0lhyIBHiQW5gr34JK6TPDg"}}}');
INSERT INTO one_time_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAGM','3193be48',8,'{"key":"dZUF0dcGdeOv8Q6NvgIJUwOp+P4Byp2mrZMeIMGqEDg","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"G1hnAm4q1z/9VDx9Yo9VVJs8BpcepkeIBcNZ4gapwAgjoeybJbe4B3rrARgaW1pnq/z87OZxpIL0IKvOkGIjAQ"}}}');
CREATE TABLE fallback_keys (
    user_id INTEGER NOT NULL,
    device_id TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    key_id TEXT NOT NULL,
    used INTEGER NOT NULL DEFAULT 0,
    json TEXT NOT NULL,
    PRIMARY KEY (user_id, device_id, algorithm)
) STRICT;
INSERT INTO fallback_keys VALUES(3,'MGQESDQNDM','signed_curve25519','AAAAAAAAAAA',0,'{"fallback":true,"key":"v9w+ySLFFSBqYAiiVzDoH5XLJ4Fcw16seYnKIZ4INTI","signatures":{"@alice:alpha.localhost:35063":{"ed25519:MGQESDQNDM":"4iau4Amc2YKRDWoUCBWTrcojP9EGSdXYIugFAMAS4CoDeCBpAH96RjeHLck8aPQ3K1OHu1w5hu+5VtBVtY8KDw"}}}');
CREATE TABLE cross_signing_keys (
    user_id INTEGER NOT NULL,
    usage TEXT NOT NULL,
    public_key TEXT NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (user_id, usage)
) STRICT;
INSERT INTO cross_signing_keys VALUES(3,'master','+FS3WgoBLAaydyke1CT9fOYH2yS3Xgz8Og2nSAilDdQ','{"keys":{"ed25519:+FS3WgoBLAaydyke1CT9fOYH2yS3Xgz8Og2nSAilDdQ":"+FS3WgoBLAaydyke1CT9fOYH2yS3Xgz8Og2nSAilDdQ"},"signatures":{"@alice:alpha.localhost:35063":{"ed25519:+FS3WgoBLAaydyke1CT9fOYH2yS3Xgz8Og2nSAilDdQ":"xK3IJcxTKeKMn8N8Cru3fKcv1650rpg7yUAcDZWNE2Jc9le2PzXHsjb8dKUuQYqiS5FphuArVygb5BV3eFS0BQ","ed25519:MGQESDQNDM":"BCojl1CijR78+8dro6JartmsS3qM+n9uXLdPmKVhy5pZ70d5wJnNUWAc47LG7NU6V8gGnh/DSAhcqKvudSe7DQ"}},"usage":["master"],"user_id":"@alice:alpha.localhost:35063"}');
INSERT INTO cross_signing_keys VALUES(3,'self_signing','oA4m8973FLVuIR7Hw9zj0OUKxwXzxa2fTeBoT8E09Rk','{"keys":{"ed25519:oA4m8973FLVuIR7Hw9zj0OUKxwXzxa2fTeBoT8E09Rk":"oA4m8973FLVuIR7Hw9zj0OUKxwXzxa2fTeBoT8E09Rk"},"signatures":{"@alice:alpha.localhost:35063":{"ed25519:+FS3WgoBLAaydyke1CT9fOYH2yS3Xgz8Og2nSAilDdQ":"z9wNrCiuIJWkKQizCk7BUfywhXVwgPstBTIcP1bkPrlK6RbJUN4c8Y3kelSU7yPQZqd22zwmtB8/3lA4A+8EDg"}},"usage":["self_signing"],"user_id":"@alice:alpha.localhost:35063"}');
INSERT INTO cross_signing_keys VALUES(3,'user_signing','x8V2rqokNhNVRK754Is3oaVjaRIiAjeN8vo56KmFSek','{"keys":{"ed25519:x8V2rqokNhNVRK754Is3oaVjaRIiAjeN8vo56KmFSek":"x8V2rqokNhNVRK754Is3oaVjaRIiAjeN8vo56KmFSek"},"signatures":{"@alice:alpha.localhost:35063":{"ed25519:+FS3WgoBLAaydyke1CT9fOYH2yS3Xgz8Og2nSAilDdQ":"SQ6vJmGGiUrAxcuzYPz0AHI3MVi1kv6TF+fzZgWt4HPqhTrVp/LkaBXrzgVh06kutpgDx/B8CNjo+EIOeb2hAQ"}},"usage":["user_signing"],"user_id":"@alice:alpha.localhost:35063"}');
INSERT INTO cross_signing_keys VALUES(37,'master','p7sBqD1y1TLuEfzQhhxowWz4/LISXYSpdwc8YOABm+g','{"keys":{"ed25519:p7sBqD1y1TLuEfzQhhxowWz4/LISXYSpdwc8YOABm+g":"p7sBqD1y1TLuEfzQhhxowWz4/LISXYSpdwc8YOABm+g"},"signatures":{"@bob:beta.localhost:33617":{"ed25519:IHXXJFLBHC":"1mKoT/TJgA6S+QM73tF/eskTBChSBPkE+I8O4Ks3SlHYLPH/il8x1rcz2QBPAnP53xiUeiU2n9Eec1Z1Zy9DAw","ed25519:p7sBqD1y1TLuEfzQhhxowWz4/LISXYSpdwc8YOABm+g":"1HwSlUQnClyM1I0jnw7A4SBgOHKkpSA6piTMsa6bhgeoVa2tIZzGCUB7n4X67LssJ60zl9PJSTk4fj3nsq8HCg"}},"usage":["master"],"user_id":"@bob:beta.localhost:33617"}');
INSERT INTO cross_signing_keys VALUES(37,'self_signing','YuQpMjDKMdF5m28+P7ey3dh9i6om/ie2q/JWJHwuKfs','{"keys":{"ed25519:YuQpMjDKMdF5m28+P7ey3dh9i6om/ie2q/JWJHwuKfs":"YuQpMjDKMdF5m28+P7ey3dh9i6om/ie2q/JWJHwuKfs"},"signatures":{"@bob:beta.localhost:33617":{"ed25519:p7sBqD1y1TLuEfzQhhxowWz4/LISXYSpdwc8YOABm+g":"DNvR2oUYSOChRv5g2/cIMbWIX/31zBtJYBlNLShEVVbvWh105dPOQ3ZNkUSBUPtWycgpPW5HtzAuDhnarZEpDg"}},"usage":["self_signing"],"user_id":"@bob:beta.localhost:33617"}');
CREATE TABLE key_signatures (
    target_user INTEGER NOT NULL,
    target TEXT NOT NULL,
    signer INTEGER NOT NULL,
    key_id TEXT NOT NULL,
    signature TEXT NOT NULL,
    PRIMARY KEY (target_user, target, signer, key_id)
) STRICT;
CREATE TABLE signature_changes (
    signer INTEGER NOT NULL,
    target_user INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (signer, target_user)
) STRICT;
CREATE TABLE device_list_changes (
    user_id INTEGER NOT NULL,
    device_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    announced INTEGER NOT NULL,
    PRIMARY KEY (user_id, device_id)
) STRICT;
INSERT INTO device_list_changes VALUES(3,'MGQESDQNDM',3,1);
INSERT INTO device_list_changes VALUES(3,'',7,1);
CREATE TABLE device_list_streams (
    user_id INTEGER NOT NULL PRIMARY KEY,
    stream_id INTEGER NOT NULL
) STRICT;
INSERT INTO device_list_streams VALUES(3,3);
CREATE TABLE remote_device_lists (
    user_id INTEGER NOT NULL PRIMARY KEY,
    stream_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    stale INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO remote_device_lists VALUES(37,3,25,0);
CREATE TABLE to_device_messages (
    device INTEGER NOT NULL,
    position INTEGER NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (device, position)
) STRICT;
CREATE TABLE to_device_transactions (
    device INTEGER NOT NULL,
    event_type TEXT NOT NULL,
    txn_id TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (device, event_type, txn_id)
) STRICT;
INSERT INTO to_device_transactions VALUES(4,'m.room.encrypted','81d6ab9183f14c2483c3ca127a30fc20',1795774644662);
CREATE TABLE received_to_device (
    origin TEXT NOT NULL,
    message_id TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (origin, message_id)
) STRICT;
INSERT INTO received_to_device VALUES('beta.localhost:33617','rewwLNYS0aR9Dyp0y-26jQ',1795774644537);
INSERT INTO received_to_device VALUES('beta.localhost:33617','PQU6AHZtaJh-Gv0TSt6_sA',1795774645398);
CREATE TABLE key_backups (
    user_id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    algorithm TEXT NOT NULL,
    auth_data TEXT NOT NULL,
    etag INTEGER NOT NULL DEFAULT 0,
    count INTEGER NOT NULL DEFAULT 0,
    deleted INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (user_id, version)
) STRICT;
INSERT INTO key_backups VALUES(3,1,'m.megolm_backup.v1.curve25519-aes-sha2','{"public_key":"4l0+d47JoJBw8DVgcu4oke/pJkW9DArxx5M9atFqvn0","signatures":{"@alice:alpha.localhost:35063":{"ed25519:+FS3WgoBLAaydyke1CT9fOYH2yS3Xgz8Og2nSAilDdQ":"YbGi2BLJ7TD1CaIz3V0ozWJ0V4V9lJEyGJrFpmFm4obkGX1OPr14pHyhwVcvIM+ANAZ7542YORtoBQa50AZkDg","ed25519:MGQESDQNDM":"xK51lYlbqZ92NCYM+oMtcROuyj2g0QCSIHeoO2NfTetOAkgeVUWliSg2hIwLGnmiplxZ3wlXqAGLxx/x5fDbDw"}}}',3,3,0);
CREATE TABLE key_backup_sessions (
    user_id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    room_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    first_message_index INTEGER NOT NULL,
    forwarded_count INTEGER NOT NULL,
    is_verified INTEGER NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (user_id, version, room_id, session_id)
) STRICT;
INSERT INTO key_backup_sessions VALUES(3,1,'!mzhfrG5VsirfQuFyzgeGpdo9r2COa_85KN1MoYW3MSw','DbUq7w5+MZ96+bVkLafN+B/BqSyyfJCSKIpaowmCz5k',0,0,0,'{"first_message_index":0,"forwarded_count":0,"is_verified":false,"session_data":{"ciphertext":"oYNFYckFOpZr8NEFZeV1Z1xe7BaLcrE3YkxvbijMyhtvpnECtKWnki+fpTUhdrnyDDRge5EqQqzM0T85g6WIzrwLxuclRjyjLpH7/IybJLvrl8R3es8G9Y83iWjW/BzPw5CikT8dI/+FAXAQ2roh01ZwhODGS1BH5FPrb7MXM5fFE2y0g5uXJDQXZsTyNPldqC24k4XUHNA3VDQjqulfMojNzxvjJ3zL4eQ+Oy9RCothSbSHHKWCP++BBSHdFHh5MLZoyDNeouklpkEzU1EHXNTwOz23U512Nnfz3DgCcuzU3SfRdASyhVc2xma1W1kgKDmtPLzdE6jYbtGEIycdyJ59KyXyWDp3Ht+VM2Kk1wWbQeJ5WntD3W7AkZawMHtHemmu+liOHj/vwNuhgp+jW9cPAcx7PrG/JJ6+uRD/eP07aSEus6S0lJjtA9w//of7VbBxmeLsoE9xYucJ7W5VNiSmoxSb4cSIkJcZO4RT5ZCukSX2NwuqwL9Pqg8IRTHaP02Bsi/zUSqAiXnlj9yC2bbP2sPNJ61Muh1ydXA0GeN9sJtIpRfILMIQwYPRqIv4nvODc826gDq9xQ6qH+4YhVfoJ+/v8yqcL/W+XPFQgDI/iZxhCx2h7NjLtIoc8E6L","ephemeral":"A37UU6qbiHtZytx7+U4PAsjq6ZY/20DhWN80ceNFCj0","mac":"NQm0eOQ5fSI"}}');
INSERT INTO key_backup_sessions VALUES(3,1,'!mzhfrG5VsirfQuFyzgeGpdo9r2COa_85KN1MoYW3MSw','36iG/vPuhae180wlZ1qBMZIPEBV+rGAYHcqFH5WcFWQ',0,0,0,'{"first_message_index":0,"forwarded_count":0,"is_verified":false,"session_data":{"ciphertext":"qLRp7IAaNwbQrV4zZCWESPbw6yo3WUjajCnCH+qrvxLnd8a7J+dbqlp92i/s2yPZzyUb9/kCwfm1NcDbfVHZa4d/B8tGUh0aZUJGQi3qZDTcnJJoN7a6PNCEU8DRhlxQQqR3nQuDUWLeKFRpWOwfnwfsu+ls1RhLRLSXAJpRoYH9aIp/9FFk+N21pM7gn/wXlwwA/xAn4t/idEB+UedbjfIPC7h+A80EoqAsh+kinoM/1paNJK3Cafvc5qsM3juailOB4n5XwaDqGY3BjOk/Cqq+zM2GKMJ9YLSRI7EgS6C22F6B9/SJBya2FV2HJkP2O0woIMuFUORN+MLwim4o660lfYrPOjmrRTBM0a9qMqfqnC4fqIOlgmSnyr3O8Rqd2UQahaTPMpifaq8c3W3w7+5EeDUA9G9cnLhx3VHjviUs9UTwfxlejvoxQVaXk+fxpjkaRJFuDtkV0kJ2FEus/3kLEp+fhamRqXtQBwrEwdhu3G7Ud+AOlyvUWyzLFysquO3EcF1W6GsgRjW33d7ojz7mq90F2COZVswg9vR5Zlz+hp5iVlf4QnzExLMW4sWXxKksiUQ3ucbc5zOmL2aYm+BPqromqd3Q+R21xo42gb5brs1jHnxoQVuzP1EWRo9Z","ephemeral":"/1t839tzJevvvgqvjM/l3v7fQmCVd5sphLoVZCEXp3s","mac":"rEkwgPAY3yk"}}');
INSERT INTO key_backup_sessions VALUES(3,1,'!mzhfrG5VsirfQuFyzgeGpdo9r2COa_85KN1MoYW3MSw','Wiq3P29ElxIj2bjWMc+mtt6z3svW71DwTjf7dqAyFIA',0,0,0,'{"first_message_index":0,"forwarded_count":0,"is_verified":false,"session_data":{"ciphertext":"w2SLa4KN1PKnVGpFHJxovHe+97yU0tldxOD/SkiQcVMbBiCFDaweE+dWNA/6y6KFbIulnm64chVr39CgH4V1XSoYOgIalI7p6ZpYwb8ew/ktO+vHGgcli2uNgJE7lDGShZEVIH5mURCE21fAXpXq+olNklyULfFsmOvebSzrtaEYH3qfSxx6q4qIe5NzpaOOnkwnF55IRRdlbQ3S/z6s0kgk9at3nUl66WXtUkDC2kxSPB3KSacxZLKo0ceEIbFS2mvMggVcxjDcAXF/uPtx2jrwUu7UhCR7r1Xvovz90cX+gy7THrlJBx3lX90p2/PQbh58IRit5FCVWLvvmVMsKQ+9XN/2FaGctzt6VG9NfzXYzbld433kAfw5wHUTVEy9RmXnBjJf/b/xB2MqPMXXGeTGl5PnGYoeUJxJGNhfxwGFGYpz7jLxsh7MMBOTjMxD6FFZv/Nsoxn5xVUpBXQJVg16COcGAThHeJUFoKQNaRgBBkMNo/+r+6q1j0Qa2LqZZQftt1z20Nxpa/8T+Q/cMF6lVz+LXB4C+N+ajOcf+A8GTRJIcJpBX/n7BmmCN/I5UzKv0QgiT22wqP8NzpxMuFlZNIAbHcw+sb3GFGExLpV3jzceBKpGR2zY1l+IDhJ5","ephemeral":"u/MLBLlCsemX3dsl0tzRxGD5tY+y3+EIC2b1P+H2AyE","mac":"lUIDOFSb4zY"}}');
CREATE TABLE media (
    server INTEGER NOT NULL,
    media_id TEXT NOT NULL,
    uploader INTEGER,
    hash BLOB,
    size INTEGER NOT NULL DEFAULT 0,
    content_type TEXT,
    filename TEXT,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER,
    used_ms INTEGER NOT NULL,
    PRIMARY KEY (server, media_id)
) STRICT;
CREATE TABLE thumbnails (
    source BLOB NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    method TEXT NOT NULL,
    hash BLOB NOT NULL,
    size INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    PRIMARY KEY (source, width, height, method)
) STRICT;
CREATE TABLE outbound_edus (
    destination TEXT NOT NULL,
    position INTEGER NOT NULL,
    edu TEXT NOT NULL,
    PRIMARY KEY (destination, position)
) STRICT;
CREATE TABLE server_keys (
    server_name TEXT NOT NULL PRIMARY KEY,
    keys TEXT NOT NULL
) STRICT;
INSERT INTO server_keys VALUES('beta.localhost:33617','{"server_name":"beta.localhost:33617","keys":{"ed25519:a_bOzd":{"key":"KWSaVYfMrLSRch5oh2I+YjC89SQdePuNogH43HQdjUM","valid_until_ts":1796379444303}},"fetched_at_ts":1795774644303,"valid_until_ts":1796379444303,"document":{"old_verify_keys":{},"server_name":"beta.localhost:33617","signatures":{"beta.localhost:33617":{"ed25519:a_bOzd":"769mGfLhuLwW0tR1pWmnIeMQiEYADzYCEhCaSaNq5aVS8LUtVyVyvJyZXouC/TadudKvLz23QLVyfWg9G/7dBQ"}},"valid_until_ts":1796379444303,"verify_keys":{"ed25519:a_bOzd":{"key":"KWSaVYfMrLSRch5oh2I+YjC89SQdePuNogH43HQdjUM"}}}}');
CREATE TABLE destinations (
    server_name TEXT NOT NULL PRIMARY KEY,
    cursor INTEGER NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0,
    retry_at_ms INTEGER
) STRICT;
INSERT INTO destinations VALUES('beta.localhost:33617',30,0,NULL);
CREATE TABLE staged_events (
    id INTEGER NOT NULL PRIMARY KEY,
    origin TEXT NOT NULL,
    room INTEGER NOT NULL,
    json TEXT NOT NULL
, attempts INTEGER NOT NULL DEFAULT 0, retry_at_ms INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE IF NOT EXISTS "sent_transactions" (
    device INTEGER NOT NULL,
    endpoint TEXT NOT NULL,
    txn_id TEXT NOT NULL,
    event INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (device, endpoint, txn_id)
) STRICT;
INSERT INTO sent_transactions VALUES(4,'!mzhfrG5VsirfQuFyzgeGpdo9r2COa_85KN1MoYW3MSw/send/m.room.encrypted','5ef47ec0669e4cc4bcdf2ac5171899d5',43,1795774644676);
CREATE TABLE reports (
    id INTEGER NOT NULL PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    reporter INTEGER NOT NULL,
    room_id TEXT,
    event_id TEXT,
    user_id TEXT,
    reason TEXT NOT NULL
) STRICT;
CREATE TABLE waiting_receipts (
    room INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    thread TEXT NOT NULL,
    event_id TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (room, user_id, kind, thread)
) STRICT;
CREATE TABLE threads (
    id INTEGER NOT NULL PRIMARY KEY,
    room INTEGER NOT NULL,
    root TEXT NOT NULL,
    countable INTEGER NOT NULL,
    last_order INTEGER NOT NULL,
    UNIQUE (room, root)
) STRICT;
CREATE TABLE IF NOT EXISTS "events" (
    id INTEGER NOT NULL PRIMARY KEY,
    event_id TEXT NOT NULL,
    room INTEGER NOT NULL,
    event_type TEXT NOT NULL,
    sender INTEGER NOT NULL,
    state_key INTEGER,
    depth INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    position INTEGER,
    timeline_order INTEGER,
    state_before INTEGER,
    state_after INTEGER,
    countable INTEGER NOT NULL,
    thread INTEGER,
    thread_countable INTEGER,
    flags INTEGER NOT NULL,
    redacted_by INTEGER,
    auth_rank INTEGER,
    auth BLOB,
    json BLOB NOT NULL
) STRICT;
INSERT INTO events VALUES(7,'$mzhfrG5VsirfQuFyzgeGpdo9r2COa_85KN1MoYW3MSw',6,'m.room.create',3,8,1,1795774644148,16,0,NULL,9,0,NULL,NULL,4,NULL,0,X'',X'7b22617574685f6576656e7473223a5b5d2c22636f6e74656e74223a7b226164646974696f6e616c5f63726561746f7273223a5b2240626f623a626574612e6c6f63616c686f73743a3333363137225d2c22726f6f6d5f76657273696f6e223a223132227d2c226465707468223a312c22686173686573223a7b22736861323536223a2230676d3974575448796634757864653959684c324d736f583771424262552b6649387056335a6137754438227d2c226f726967696e5f7365727665725f7473223a313739353737343634343134382c22707265765f6576656e7473223a5b5d2c2273656e646572223a2240616c6963653a616c7068612e6c6f63616c686f73743a3335303633222c227369676e617475726573223a7b22616c7068612e6c6f63616c686f73743a3335303633223a7b22656432353531393a615f53507a76223a224e4c67717a31786f73554c3373416d554338546f49765143476178636b4e596a4252787138425445546e45636242584b45416136436630446a7346586d6447686f714378727275635537504d72717776386538414477227d7d2c2273746174655f6b6579223a22222c2274797065223a226d2e726f6f6d2e637265617465227d');
INSERT INTO events VALUES(13,'$wDn5YNl0FMxVEY0d63gO6OkB74wsrkWI6ohWALjfQEY',6,'m.room.member',3,11,2,1795774644168,17,1,9,14,0,NULL,NULL,4,NULL,0,X'',X'7b22617574685f6576656e7473223a5b5d2c22636f6e74656e74223a7b226d656d62657273686970223a226a6f696e227d2c226465707468223a322c22686173686573223a7b22736861323536223a2279466553324433625436696e6d5138583279646d787a79464c776251666930325644457a6f5049522f4f4d227d2c226f726967696e5f7365727665725f7473223a313739353737343634343136382c22707265765f6576656e7473223a5b22246d7a68667247355673697266517546797a67654770646f397232434f615f38354b4e314d6f5957334d5377225d2c22726f6f6d5f6964223a22216d7a68667247355673697266517546797a67654770646f397232434f615f38354b4e314d6f5957334d5377222c2273656e646572223a2240616c6963653a616c7068612e6c6f63616c686f73743a3335303633222c227369676e617475726573223a7b22616c7068612e6c6f63616c686f73743a3335303633223a7b22656432353531393a615f53507a76223a227a44716f2f54764c764f70693856394e2b4834484d71645a564e6777664330736a6d512f727638494f5762354e585339534142303165535a7675524d3341634f536333535536722f7a54576935434877376741464167227d7d2c2273746174655f6b6579223a2240616c6963653a616c7068612e6c6f63616c686f73743a3335303633222c2274797065223a226d2e726f6f6d2e6d656d626572227d');
INSERT INTO events VALUES(15,'$xZvMpkVgsIEnHrVz9t0T31Pq9QghZ72S8gu51Si_vqQ',6,'m.room.power_levels',3,10,3,1795774644170,18,2,14,16,0,NULL,NULL,4,NULL,1,X'000000000000000d',X'7b22617574685f6576656e7473223a5b222477446e35594e6c30464d7856455930643633674f364f6b4237347773726b5749366f6857414c6a66514559225d2c22636f6e74656e74223a7b2262616e223a35302c226576656e7473223a7b226d2e726f6f6d2e617661746172223a35302c226d2e726f6f6d2e63616e6f6e6963616c5f616c696173223a35302c226d2e726f6f6d2e656e6372797074696f6e223a3130302c226d2e726f6f6d2e686973746f72795f7669736962696c697479223a3130302c226d2e726f6f6d2e6e616d65223a35302c226d2e726f6f6d2e706f7765725f6c6576656c73223a3130302c226d2e726f6f6d2e7365727665725f61636c223a3130302c226d2e726f6f6d2e746f6d6273746f6e65223a3135307d2c226576656e74735f64656661756c74223a302c22686973746f726963616c223a3130302c22696e76697465223a302c226b69636b223a35302c226e6f74696669636174696f6e73223a7b22726f6f6d223a35307d2c22726564616374223a35302c2273746174655f64656661756c74223a35302c227573657273223a7b7d2c2275736572735f64656661756c74223a307d2c226465707468223a332c22686173686573223a7b22736861323536223a2231506d62654b4d7572536454686c3149687a4b472b7a646e36524a72616c773866742f522b57544f2f6c38227d2c226f726967696e5f7365727665725f7473223a313739353737343634343137302c22707265765f6576656e7473223a5b222477446e35594e6c30464d7856455930643633674f364f6b4237347773726b5749366f6857414c6a66514559225d2c22726f6f6d5f6964223a22216d7a68667247355673697266517546797a67654770646f397232434f615f38354b4e314d6f5957334d5377222c2273656e646572223a2240616c6963653a616c7068612e6c6f63616c686f73743a3335303633222c227369676e617475726573223a7b22616c7068612e6c6f63616c686f73743a3335303633223a7b22656432353531393a615f53507a76223a2279544930357835746158796c5761314c69456e65477952786859356d375a3063764a306f6444336a45776a336f7a5971455461305139304561796f5661786f7674706f734c6470774d6343464b6446316c526a4c4277227d7d2c2273746174655f6b6579223a22222c2274797065223a226d2e726f6f6d2e706f7765725f6c6576656c73227d');
INSERT INTO events VALUES(17,'$AoGv9AB_2RYAZEJ0bQlXS1IjnVh9-y0VA4wv0-r7OR8',6,'m.room.join_rules',3,12,4,1795774644171,19,3,16,18,0,NULL,NULL,4,NULL,2,X'000000000000000f000000000000000d',X'7b22617574685f6576656e7473223a5b2224785a764d706b56677349456e4872567a3974305433315071395167685a373253386775353153695f767151222c222477446e35594e6c30464d7856455930643633674f364f6b4237347773726b5749366f6857414c6a66514559225d2c22636f6e74656e74223a7b226a6f696e5f72756c65223a22696e76697465227d2c226465707468223a342c22686173686573223a7b22736861323536223a227861686e5933664c5a5265312b2b37524752385256516850554832694d74572b35367a633458682f343445227d2c226f726967696e5f7365727665725f7473223a313739353737343634343137312c22707265765f6576656e7473223a5b2224785a764d706b56677349456e4872567a3974305433315071395167685a373253386775353153695f767151225d2c22726f6f6d5f6964223a22216d7a68667247355673697266517546797a67654770646f397232434f615f38354b4e314d6f5957334d5377222c2273656e646572223a2240616c6963653a616c7068612e6c6f63616c686f73743a3335303633222c227369676e617475726573223a7b22616c7068612e6c6f63616c686f73743a3335303633223a7b22656432353531393a615f53507a76223a227044456c52462b494632345a685a526d7075433349416e52612b5673772f42597a714e582b715057494e6b795a58303658337130566649377738673977306e55564362427834706670446163416e4455795945314351227d7d2c2273746174655f6b6579223a22222c2274797065223a226d2e726f6f6d2e6a6f696e5f72756c6573227d');
INSERT INTO events VALUES(19,'$bRag_GL2rg-5qVIMObNYvDSVzK-akL57cuatcm8I4cY',6,'m.room.history_visibility',3,20,5,1795774644172,20,4,18,21,0,NULL,NULL,4,NULL,2,X'000000000000000f000000000000000d',X'7b22617574685f6576656e7473223a5b2224785a764d706b56677349456e4872567a3974305433315071395167685a373253386775353153695f767151222c222477446e35594e6c30464d7856455930643633674f364f6b4237347773726b5749366f6857414c6a66514559225d2c22636f6e74656e74223a7b22686973746f72795f7669736962696c697479223a22736861726564227d2c226465707468223a352c22686173686573223a7b22736861323536223a2259314344774875517645567251764570456c5a714133356b58692b7148336b776437424d66673433347534227d2c226f726967696e5f7365727665725f7473223a313739353737343634343137322c22707265765f6576656e7473223a5b2224416f47763941425f325259415a454a3062516c585331496a6e5668392d79305641347776302d72374f5238225d2c22726f6f6d5f6964223a22216d7a68667247355673697266517546797a67654770646f397232434f615f38354b4e314d6f5957334d5377222c2273656e646572223a2240616c6963653a616c7068612e6c6f63616c686f73743a3335303633222c227369676e617475726573223a7b22616c7068612e6c6f63616c686f73743a3335303633223a7b22656432353531393a615f53507a76223a2238504a3147713078547651724c6e4c6f4c356a6636394c6974417465514b384267564e384854684a54637063346859575072447372527a714a78366d6d352f69304c306b533254735a716939313332565850492b4367227d7d2c2273746174655f6b6579223a22222c2274797065223a226d2e726f6f6d2e686973746f72795f7669736962696c697479227d');
INSERT INTO events VALUES(22,'$76h0L82fOTCb6N23jGtcJ4eSTJ7aXxEugQL1q3hu9JA',6,'m.room.guest_access',3,23,6,1795774644177,21,5,21,24,0,NULL,NULL,4,NULL,2,X'000000000000000f000000000000000d',X'7b22617574685f6576656e7473223a5b2224785a764d706b56677349456e4872567a3974305433315071395167685a373253386775353153695f767151222c222477446e35594e6c30464d7856455930643633674f364f6b4237347773726b5749366f6857414c6a66514559225d2c22636f6e74656e74223a7b2267756573745f616363657373223a2263616e5f6a6f696e227d2c226465707468223a362c22686173686573223a7b22736861323536223a224377316c46536675785670636d537339464d6c4b4c384c3552646335375878486d59397850636958305155227d2c226f726967696e5f7365727665725f7473223a313739353737343634343137372c22707265765f6576656e7473223a5b2224625261675f474c3272672d357156494d4f624e59764453567a4b2d616b4c353763756174636d3849346359225d2c22726f6f6d5f6964223a22216d7a68667247355673697266517546797a67654770646f397232434f615f38354b4e314d6f5957334d5377222c2273656e646572223a2240616c6963653a616c7068612e6c6f63616c686f73743a3335303633222c227369676e617475726573223a7b22616c7068612e6c6f63616c686f73743a3335303633223a7b22656432353531393a615f53507a76223a227954477a4e4578496d6d734f4937726d776e646a706a382f756843784a74666b6379347034766c39314b754469586346444362643371496d4d2f7935747066694a4e4d6a507a7252335a634a5857773959614d434467227d7d2c2273746174655f6b6579223a22222c2274797065223a226d2e726f6f6d2e67756573745f616363657373227d');
INSERT INTO events VALUES(25,'$K5hs-RyCajv4_qV4CKg1bKCv3lLVEk2cLp1tSFKX1AE',6,'m.room.encryption',3,26,7,1795774644180,22,6,24,27,0,NULL,NULL,4,NULL,2,X'000000000000000f000000000000000d',X'7b22617574685f6576656e7473223a5b2224785a764d706b56677349456e4872567a3974305433315071395167685a373253386775353153695f767151222c222477446e35594e6c30464d7856455930643633674f364f6b4237347773726b5749366f6857414c6a66514559225d2c22636f6e74656e74223a7b22616c676f726974686d223a226d2e6d65676f6c6d2e76312e6165732d73686132222c22726f746174696f6e5f706572696f645f6d73223a3630343830303030302c22726f746174696f6e5f706572696f645f6d736773223a3130307d2c226465707468223a372c22686173686573223a7b22736861323536223a2237364e76684a6a4c7636366647364a4355467a485746493255462b4c6c6c756d3166744877646274333067227d2c226f726967696e5f7365727665725f7473223a313739353737343634343138302c22707265765f6576656e7473223a5b2224373668304c3832664f544362364e32336a4774634a346553544a37615878457567514c3171336875394a41225d2c22726f6f6d5f6964223a22216d7a68667247355673697266517546797a67654770646f397232434f615f38354b4e314d6f5957334d5377222c2273656e646572223a2240616c6963653a616c7068612e6c6f63616c686f73743a3335303633222c227369676e617475726573223a7b22616c7068612e6c6f63616c686f73743a3335303633223a7b22656432353531393a615f53507a76223a224d4158734f7a616351724e5a64344c54526237747064306a366754517a31456b6956732b47787638496c4f434b556f3644745a6c61663756545a72362f2b375869624f434b7358393579374f5258656144595a4d4177227d7d2c2273746174655f6b6579223a22222c2274797065223a226d2e726f6f6d2e656e6372797074696f6e227d');
INSERT INTO events VALUES(35,'$VrCd8XcmkAdWbKA4n4wiZWN5qpGS0Mxq7nAcatVkGm4',6,'m.room.member',3,28,8,1795774644195,23,7,27,36,0,NULL,NULL,4,NULL,3,X'000000000000000f000000000000000d0000000000000011',X'7b22617574685f6576656e7473223a5b2224785a764d706b56677349456e4872567a3974305433315071395167685a373253386775353153695f767151222c222477446e35594e6c30464d7856455930643633674f364f6b4237347773726b5749366f6857414c6a66514559222c2224416f47763941425f325259415a454a3062516c585331496a6e5668392d79305641347776302d72374f5238225d2c22636f6e74656e74223a7b2269735f646972656374223a747275652c226d656d62657273686970223a22696e76697465227d2c226465707468223a382c22686173686573223a7b22736861323536223a2264416b3757432b7936553062464373677755384f77703037745467332b732f397448644b31586243456373227d2c226f726967696e5f7365727665725f7473223a313739353737343634343139352c22707265765f6576656e7473223a5b22244b3568732d527943616a76345f715634434b6731624b4376336c4c56456b32634c70317453464b58314145225d2c22726f6f6d5f6964223a22216d7a68667247355673697266517546797a67654770646f397232434f615f38354b4e314d6f5957334d5377222c2273656e646572223a2240616c6963653a616c7068612e6c6f63616c686f73743a3335303633222c227369676e617475726573223a7b22616c7068612e6c6f63616c686f73743a3335303633223a7b22656432353531393a615f53507a76223a2274326668524b7a5a4d6b755a376e5a4e71394e674c66726e6a564a4a44483543796f6377747673756e30793957616a4a4e564b44556c6c4461475273656c34364c7975665446395738473378472b7a5a4c4458594267227d2c22626574612e6c6f63616c686f73743a3333363137223a7b22656432353531393a615f624f7a64223a226e416a7130386d376430476242646163526e6666796e4849786b515330433179384b3633783142526f744168757533674247483351645355746b464937703044517350324436556c51676d4a70416b67677649504351227d7d2c2273746174655f6b6579223a2240626f623a626574612e6c6f63616c686f73743a3333363137222c2274797065223a226d2e726f6f6d2e6d656d626572227d');
INSERT INTO events VALUES(39,'$uA5i8XlKKqGK3x9Eu4lrEzHRz8HWO6PROZLlXZHD06M',6,'m.room.member',37,28,9,1795774644319,25,8,36,40,0,NULL,NULL,4,NULL,4,X'000000000000000f00000000000000230000000000000011',X'7b22617574685f6576656e7473223a5b2224785a764d706b56677349456e4872567a3974305433315071395167685a373253386775353153695f767151222c2224567243643858636d6b416457624b41346e3477695a574e3571704753304d7871376e41636174566b476d34222c2224416f47763941425f325259415a454a3062516c585331496a6e5668392d79305641347776302d72374f5238225d2c22636f6e74656e74223a7b226d656d62657273686970223a226a6f696e227d2c226465707468223a392c22686173686573223a7b22736861323536223a22482b7073657859654a2f5679632b3932454f683768504a674d6a43412b386d6c556b367a79554f4d693863227d2c226f726967696e5f7365727665725f7473223a313739353737343634343331392c22707265765f6576656e7473223a5b2224567243643858636d6b416457624b41346e3477695a574e3571704753304d7871376e41636174566b476d34225d2c22726f6f6d5f6964223a22216d7a68667247355673697266517546797a67654770646f397232434f615f38354b4e314d6f5957334d5377222c2273656e646572223a2240626f623a626574612e6c6f63616c686f73743a3333363137222c227369676e617475726573223a7b22626574612e6c6f63616c686f73743a3333363137223a7b22656432353531393a615f624f7a64223a226f2f7957646561377168443962753366324a48313932474a6772312b2f6f44577261466834442b464d677034615653676375747043746655774c6952434b67663442642f54476554687878632b43463873565a644167227d7d2c2273746174655f6b6579223a2240626f623a626574612e6c6f63616c686f73743a3333363137222c2274797065223a226d2e726f6f6d2e6d656d626572227d');
INSERT INTO events VALUES(42,'$MAUZA0UsJd0LUxZX_JtJYbv7JKcidniSDMEgVlVhIsw',6,'m.room.encrypted',37,NULL,10,1795774644540,28,9,40,40,1,NULL,NULL,64,NULL,NULL,NULL,X'7b22617574685f6576656e7473223a5b2224785a764d706b56677349456e4872567a3974305433315071395167685a373253386775353153695f767151222c22247541356938586c4b4b71474b3378394575346c72457a48527a3848574f3650524f5a4c6c585a484430364d225d2c22636f6e74656e74223a7b22616c676f726974686d223a226d2e6d65676f6c6d2e76312e6165732d73686132222c2263697068657274657874223a22417767414572414349616875596d6a72416272445943566b707a7a2f626139533053467a6147796e6a303137524c2b644e67584e74466948597a2b6c76664746375775706169586c717962434f6536704867476639614c6e2f7a4c4b6a4346634544762b36625437427855747438727836702b39302f386f4a4d72326446494663656e78446e45375767673769354245716f324362526e722b5256434f44634675517a4d307531366e666577425031636c49474230614b6a6938564d4a72467054776d58684755504b4465355158564b647765795449475a70694f6f322f715976534651316a56456a31754e515074395a502f344852526f494b49415552734477706170445a746c3764735939387a4b474d344d6b443045397a58745978793153576b7444456c4c62394b78476b736f525036376b63386e783639614b41512b69684f697a4645566339356c545a5a7a707662524f366e55775747416e5a7a54336d3039727a685a494530614c385548502f78514a6f6b51493258734b6d37476b447563386b65766a79573870783742722f414964325435453058654f396f39784a35574a564831594b6267544748596c4b753864314e77307272473064363333416e5338536f776a334e495849646d61315642346c52374a546d684f70642b4944796146776e724c454236684e464b3773464141516a724d6779584341222c226465766963655f6964223a22494858584a464c424843222c2273656e6465725f6b6579223a22664c322b6830397a6963554a487957456a58452f734c7779596e4f384577327748377a474467474f2b5477222c2273657373696f6e5f6964223a22446255713777352b4d5a39362b62566b4c61664e2b422f4271537979664a43534b4970616f776d437a356b227d2c226465707468223a31302c22686173686573223a7b22736861323536223a22664844587344787438522f4d7a796b4c39565475526836594f333431725863623075787a6b725a54384e6f227d2c226f726967696e5f7365727665725f7473223a313739353737343634343534302c22707265765f6576656e7473223a5b22247541356938586c4b4b71474b3378394575346c72457a48527a3848574f3650524f5a4c6c585a484430364d225d2c22726f6f6d5f6964223a22216d7a68667247355673697266517546797a67654770646f397232434f615f38354b4e314d6f5957334d5377222c2273656e646572223a2240626f623a626574612e6c6f63616c686f73743a3333363137222c227369676e617475726573223a7b22626574612e6c6f63616c686f73743a3333363137223a7b22656432353531393a615f624f7a64223a22456c47784251413264395345425478744d714642524b526959383378674b6a432b464243462f43626a517152584f70484b66552b324e334976704837714d443052313056714654737238704961476b764a6f66664241227d7d2c2274797065223a226d2e726f6f6d2e656e63727970746564227d');
INSERT INTO events VALUES(43,'$goNSYULm8J6lNXHUhYDYGP-PwOw38-W5vaiE6_l6TmA',6,'m.room.encrypted',3,NULL,11,1795774644675,30,10,40,40,2,NULL,NULL,68,NULL,NULL,NULL,X'7b22617574685f6576656e7473223a5b2224785a764d706b56677349456e4872567a3974305433315071395167685a373253386775353153695f767151222c222477446e35594e6c30464d7856455930643633674f364f6b4237347773726b5749366f6857414c6a66514559225d2c22636f6e74656e74223a7b22616c676f726974686d223a226d2e6d65676f6c6d2e76312e6165732d73686132222c2263697068657274657874223a2241776741457241427764313745444138586379632b47536653567574784c7472575259644e6b44504f46573963314b31355850304847624e686d496c533462795a613242677244675178305055655a3768636d476d35484331526a742b686a667a4679714c476e786e56306e432f595468434932417575707a7a79786a446e6a4930496556586b504264557036637476506772566353314665767936445938535069516a74424f452b6c4a794e4266754d314f436f634b4b3269692f6d6f4f4c4342765731326d4f384b4b7a765449714971392b476f4f56776e59717337347559314b5951726e4c34676a6c42354b4835664a6d756d6a625452687a632b77464657544e4268386f42584f506d7a4c636675552b726e47497278594e6f3958622b4a483563386442535445304962687858334d41526d34724d5a436e5144576e6e494345656d5635376e34695562336d656741222c226465766963655f6964223a224d4751455344514e444d222c2273656e6465725f6b6579223a224878326547476d53777537592f2f486436754a4e51397a4b50516b622f2f4547746c4c737a335a3951546b222c2273657373696f6e5f6964223a22333669472f765075686165313830776c5a3171424d5a49504542562b724741594863714648355763465751227d2c226465707468223a31312c22686173686573223a7b22736861323536223a224859353472576d4631444268706d2f576c733152524349364d674a4c56667a645071326670416f32333038227d2c226f726967696e5f7365727665725f7473223a313739353737343634343637352c22707265765f6576656e7473223a5b22244d41555a413055734a64304c55785a585f4a744a596276374a4b6369646e6953444d4567566c5668497377225d2c22726f6f6d5f6964223a22216d7a68667247355673697266517546797a67654770646f397232434f615f38354b4e314d6f5957334d5377222c2273656e646572223a2240616c6963653a616c7068612e6c6f63616c686f73743a3335303633222c227369676e617475726573223a7b22616c7068612e6c6f63616c686f73743a3335303633223a7b22656432353531393a615f53507a76223a226655336756694f53656d523353466c56682b624336303265424b494b4a7648625a3071505a627a674454335672734456796b4a6464516d4b2f657038394445562b44634149386863773733714b614e5431624a724141227d7d2c2274797065223a226d2e726f6f6d2e656e63727970746564227d');
INSERT INTO events VALUES(45,'$-7NxKNgTgoeXeg_LfPI04FBqMQx5u5vXEMzbTVXnxVg',6,'m.room.encrypted',37,NULL,12,1795774645407,34,11,40,40,3,NULL,NULL,64,NULL,NULL,NULL,X'7b22617574685f6576656e7473223a5b2224785a764d706b56677349456e4872567a3974305433315071395167685a373253386775353153695f767151222c22247541356938586c4b4b71474b3378394575346c72457a48527a3848574f3650524f5a4c6c585a484430364d225d2c22636f6e74656e74223a7b22616c676f726974686d223a226d2e6d65676f6c6d2e76312e6165732d73686132222c2263697068657274657874223a224177674145714142443534796a4d31764b306e667264493958344b435430615a52624a64754430642b573071434e35516f6538412f446b5677684c48326670524f356b58676c773030746174484643654e4e33696f755847677830397842302b7462514b71384e46664d5964515469464a38445064722b6131504c33304141797a315549426d4c675341615749724f6a514431423850786b6862574d37317547313171324b442b567564722b757433626c685769384e4d2f424c72716178672f4c5631354f6646455273467331552f6f353748384c624f424a5a6f5545676c31504766684f4e3243464e7a35377637776f5159695153596d4d646e6464587243754a39566c7972616b39437a6372424231726736545838373153593133326b2f6f524f7338694746547437465138574c4245436c4f7432685a3878744341222c226465766963655f6964223a22494858584a464c424843222c2273656e6465725f6b6579223a22664c322b6830397a6963554a487957456a58452f734c7779596e4f384577327748377a474467474f2b5477222c2273657373696f6e5f6964223a2257697133503239456c78496a32626a574d632b6d7474367a3373765737314477546a663764714179464941227d2c226465707468223a31322c22686173686573223a7b22736861323536223a22304b78457842526d474e5659666d51754669557a4f6a677a674f78373978562b4648536d5a5238444d4541227d2c226f726967696e5f7365727665725f7473223a313739353737343634353430372c22707265765f6576656e7473223a5b2224676f4e5359554c6d384a366c4e5848556859445947502d50774f7733382d573576616945365f6c36546d41225d2c22726f6f6d5f6964223a22216d7a68667247355673697266517546797a67654770646f397232434f615f38354b4e314d6f5957334d5377222c2273656e646572223a2240626f623a626574612e6c6f63616c686f73743a3333363137222c227369676e617475726573223a7b22626574612e6c6f63616c686f73743a3333363137223a7b22656432353531393a615f624f7a64223a22336e73534b582f52554f6f33512f336d7878536e572f592b514a62307942383773347562726f6f6f65356f444470723331476d2f4853436b5a5052795857645a677431692b51384c737033454c527378484630544367227d7d2c2274797065223a226d2e726f6f6d2e656e63727970746564227d');
CREATE TABLE event_ids (
    key INTEGER NOT NULL,
    event INTEGER NOT NULL,
    PRIMARY KEY (key, event)
) STRICT, WITHOUT ROWID;
CREATE TABLE event_ids_log (
    id INTEGER NOT NULL PRIMARY KEY,
    pairs BLOB NOT NULL
) STRICT;
INSERT INTO event_ids_log VALUES(1,X'110101f662c468d400000000000000076adb3e352397646a000000000000000d16ea452cadbf68ca000000000000000f364f5bfc4f96b3590000000000000011376910172b0cf4c000000000000000133dabff2511d1c6b6000000000000001651a177f65cd3c16500000000000000191f4e3283545a6ffc000000000000002309e23fa44871e238000000000000002735d06efd36c00505000000000000002a44fca33efaf84efb000000000000002b1e2ee2d7d4fe3a6c000000000000002d');
CREATE TABLE event_ids_sweep (
    upto INTEGER NOT NULL PRIMARY KEY,
    key INTEGER NOT NULL,
    event INTEGER NOT NULL
) STRICT;
CREATE INDEX jobs_due ON jobs (run_at_ms) WHERE done_at_ms IS NULL;
CREATE INDEX accounts_search_name ON accounts (search_name);
CREATE INDEX emails_user ON emails (user_id);
CREATE INDEX email_sessions_secret ON email_sessions (client_secret, address, purpose);
CREATE INDEX email_sessions_expiry ON email_sessions (expires_ms);
CREATE INDEX email_sends_address ON email_sends (address, at_ms);
CREATE INDEX access_tokens_device ON access_tokens (device);
CREATE INDEX access_tokens_refresh ON access_tokens (refresh) WHERE refresh IS NOT NULL;
CREATE INDEX refresh_tokens_device ON refresh_tokens (device);
CREATE INDEX refresh_tokens_successor ON refresh_tokens (successor) WHERE successor IS NOT NULL;
CREATE INDEX account_data_position ON account_data (user_id, position);
CREATE INDEX memberships_room ON memberships (room);
CREATE INDEX relations_parent ON relations (parent);
CREATE INDEX receipts_position ON receipts (room, position);
CREATE INDEX receipts_log ON receipts (position);
CREATE INDEX one_time_keys_order ON one_time_keys (user_id, device_id, algorithm, position, key_id);
CREATE INDEX device_list_changes_position ON device_list_changes (position);
CREATE INDEX device_list_changes_owed ON device_list_changes (position) WHERE announced = 0;
CREATE INDEX remote_device_lists_stale ON remote_device_lists (user_id) WHERE stale = 1;
CREATE INDEX to_device_transactions_age ON to_device_transactions (at_ms);
CREATE INDEX received_to_device_age ON received_to_device (at_ms);
CREATE INDEX memberships_room_position ON memberships (room, position);
CREATE INDEX media_hash ON media (hash) WHERE hash IS NOT NULL;
CREATE INDEX media_used ON media (used_ms);
CREATE INDEX media_pending ON media (uploader) WHERE hash IS NULL;
CREATE INDEX thumbnails_hash ON thumbnails (hash);
CREATE INDEX staged_events_room ON staged_events (room, id);
CREATE INDEX sent_transactions_event ON "sent_transactions" (event);
CREATE INDEX reports_at ON reports (at_ms);
CREATE INDEX reports_reporter ON reports (reporter);
CREATE INDEX waiting_receipts_event ON waiting_receipts (room, event_id);
CREATE INDEX threads_activity ON threads (room, last_order);
CREATE INDEX push_actions_order ON push_actions (user_id, room, thread, timeline_order, delta, highlight);
CREATE INDEX push_actions_event ON push_actions (event);
CREATE INDEX account_data_wishes ON account_data (user_id)
    WHERE room_id = '' AND data_type IN ('m.push_rules', 'm.ignored_user_list');
CREATE INDEX events_timeline ON events (room, timeline_order) WHERE timeline_order IS NOT NULL;
CREATE INDEX events_log ON events (position) WHERE position IS NOT NULL;
CREATE INDEX events_thread ON events (thread, timeline_order) WHERE thread IS NOT NULL;
CREATE INDEX events_own ON events (room, sender, thread, timeline_order)
    WHERE timeline_order IS NOT NULL AND state_key IS NULL AND (flags & 4) <> 0;
CREATE INDEX events_uncounted ON events (room, timeline_order) WHERE redacted_by IS NOT NULL AND (flags & 64) <> 0;
COMMIT;
