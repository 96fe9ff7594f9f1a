//! Our key: the specification's test vectors, the file, the published document.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    time::{Duration, UNIX_EPOCH},
};

use ruma::{
    CanonicalJsonObject,
    room_version_rules::RoomVersionRules,
    server_name,
    signatures::{PublicKeyMap, Verified, verify_event},
};
use serde_json::json;
use tern_federation::{SigningError, SigningKey};

const SPEC_SEED: &str = "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1";

fn spec_key() -> SigningKey {
    SigningKey::from_seed("1", SPEC_SEED).unwrap()
}

fn object(value: serde_json::Value) -> CanonicalJsonObject {
    serde_json::from_value(value).unwrap()
}

fn text<'a>(object: &'a CanonicalJsonObject, path: [&str; 3]) -> &'a str {
    let inner = object[path[0]].as_object().unwrap();
    if path[2].is_empty() {
        return inner[path[1]].as_str().unwrap();
    }
    inner[path[1]].as_object().unwrap()[path[2]].as_str().unwrap()
}

/// Appendices, "Cryptographic Test Vectors", "JSON Signing".
#[test]
fn json_is_signed_as_in_the_specification() {
    let check = |value: serde_json::Value, expected: &str| {
        let mut value = object(value);
        spec_key().sign_json(server_name!("domain"), &mut value).unwrap();
        assert_eq!(text(&value, ["signatures", "domain", "ed25519:1"]), expected);
    };
    check(
        json!({}),
        "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ",
    );
    check(
        json!({"one": 1, "two": "Two"}),
        "KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw",
    );
}

/// Appendices, "Cryptographic Test Vectors", "Event Signing".
#[test]
fn events_are_hashed_and_signed_as_in_the_specification() {
    let check = |event: serde_json::Value, hash: &str, signature: &str| {
        let mut event = object(event);
        spec_key()
            .hash_and_sign_event(server_name!("domain"), &mut event, &RoomVersionRules::V6)
            .unwrap();
        assert_eq!(text(&event, ["hashes", "sha256", ""]), hash);
        assert_eq!(text(&event, ["signatures", "domain", "ed25519:1"]), signature);
        assert_eq!(event["unsigned"], object(json!({"age_ts": 1_000_000})));
    };
    check(
        json!({
            "room_id": "!x:domain", "sender": "@a:domain", "origin": "domain",
            "origin_server_ts": 1_000_000, "signatures": {}, "hashes": {}, "type": "X",
            "content": {}, "prev_events": [], "auth_events": [], "depth": 3,
            "unsigned": {"age_ts": 1_000_000}
        }),
        "5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos",
        "KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg",
    );
    check(
        json!({
            "content": {"body": "Here is the message content"}, "event_id": "$0:domain",
            "hashes": {}, "origin": "domain", "origin_server_ts": 1_000_000,
            "type": "m.room.message", "room_id": "!r:domain", "sender": "@u:domain",
            "signatures": {}, "unsigned": {"age_ts": 1_000_000}
        }),
        "onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g",
        "Wm+VzmOUOz08Ds+0NTWb1d4CZrVsJSikkeRxh6aCcUwu6pNC78FunoD7KNWzqFn241eYHYMGCA5McEiVPdhzBA",
    );
}

#[test]
fn a_co_signature_keeps_the_hash_and_the_other_signature() {
    let rules = RoomVersionRules::V12;
    let first = SigningKey::from_seed("first", SPEC_SEED).unwrap();
    let second = crate::common::new_key();
    let mut event = object(json!({
        "room_id": "!x", "sender": "@alice:example.org", "origin_server_ts": 1, "type": "m.room.member",
        "state_key": "@bob:example.org", "content": {"membership": "invite"}, "prev_events": [],
        "auth_events": [], "depth": 3
    }));
    first.hash_and_sign_event(server_name!("example.org"), &mut event, &rules).unwrap();
    let hashes = event["hashes"].clone();

    second.sign_event(server_name!("beta.example.org"), &mut event, &rules).unwrap();

    assert_eq!(event["hashes"], hashes);
    for (key, name) in [(&first, "example.org"), (&second, "beta.example.org")] {
        assert!(!text(&event, ["signatures", name, key.key_id().as_str()]).is_empty());
    }
    let keys = PublicKeyMap::from([(
        "example.org".to_owned(),
        [(first.key_id().to_string(), first.public_key())].into(),
    )]);
    assert_eq!(verify_event(&keys, &event, &rules).unwrap(), Verified::All);
}

#[test]
fn a_new_key_is_written_for_its_owner_only_and_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signing.key");

    let made = SigningKey::load_or_create(&path).unwrap();
    let read = SigningKey::load_or_create(&path).unwrap();

    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(made.key_id(), read.key_id());
    assert_eq!(made.public_key(), read.public_key());
    let text = fs::read_to_string(&path).unwrap();
    let words: Vec<&str> = text.split_whitespace().collect();
    assert_eq!(words[0], "ed25519");
    assert_eq!(made.key_id().as_str(), format!("ed25519:{}", words[1]));
    assert_eq!(words[2].len(), 43);
}

#[test]
fn a_key_file_that_is_broken_or_publicly_known_is_refused_without_showing_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signing.key");
    for text in ["", "ed25519 a_key", "rsa a_key AAAA", "ed25519 a_key AAAA", "ed25519 a b c d"] {
        fs::write(&path, text).unwrap();
        let error = SigningKey::load_or_create(&path).unwrap_err();
        assert!(matches!(error, SigningError::Format), "{text}");
    }
    fs::write(&path, format!("ed25519 1 {SPEC_SEED}\n")).unwrap();
    let error = SigningKey::load_or_create(&path).unwrap_err();
    assert!(matches!(error, SigningError::KnownKey));
    assert!(!format!("{error} {error:?} {:?}", spec_key()).contains(SPEC_SEED));
}

#[test]
fn the_key_document_is_signed_and_valid_for_a_week() {
    let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
    let document = spec_key().key_document(server_name!("example.org"), now).unwrap();
    let keys = document.deserialize().unwrap();

    assert_eq!(keys.server_name, "example.org");
    assert_eq!(u64::from(keys.valid_until_ts.0), (1_000_000 + 7 * 24 * 3600) * 1000);
    let key_id = spec_key().key_id().to_owned();
    assert_eq!(keys.verify_keys[&key_id].key, spec_key().public_key());
    let object: CanonicalJsonObject = serde_json::from_str(document.json().get()).unwrap();
    let known = PublicKeyMap::from([(
        "example.org".to_owned(),
        [("ed25519:1".to_owned(), spec_key().public_key())].into(),
    )]);
    ruma::signatures::verify_json(&known, &object).unwrap();
}
