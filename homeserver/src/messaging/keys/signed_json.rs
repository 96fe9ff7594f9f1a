//! Signed objects: reading them strictly, checking their keys and signatures. Pure.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use ruma::{CanonicalJsonObject, CanonicalJsonValue};
use vodozemac::{Curve25519PublicKey, Curve25519SecretKey, Ed25519PublicKey, Ed25519Signature};

use super::Error;

/// Most bytes of one object, as of an event.
pub(super) const OBJECT_BYTES_MAX: usize = 65_535;
/// Most bytes of an identifier.
pub(super) const NAME_BYTES_MAX: usize = 255;

/// Reads `json` as an object that canonical JSON allows: integers only, and not too large.
pub(super) fn parse_object(json: &str) -> Result<CanonicalJsonObject, Error> {
    if json.len() > OBJECT_BYTES_MAX {
        return Err(Error::TooLarge("a key object has at most 65535 bytes".to_owned()));
    }
    serde_json::from_str(json)
        .map_err(|error| Error::invalid(format!("this is no object of canonical JSON: {error}")))
}

/// The canonical form, which is also what is stored.
pub(super) fn to_text(object: &CanonicalJsonObject) -> String {
    CanonicalJsonValue::Object(object.clone()).to_string()
}

/// The text in a field.
pub(super) fn text<'a>(object: &'a CanonicalJsonObject, field: &str) -> Option<&'a str> {
    object.get(field).and_then(CanonicalJsonValue::as_str)
}

/// The object in a field.
pub(super) fn object<'a>(
    object: &'a CanonicalJsonObject,
    field: &str,
) -> Option<&'a CanonicalJsonObject> {
    object.get(field).and_then(CanonicalJsonValue::as_object)
}

/// The signature of `user_id` by `key_id`, if there.
pub(super) fn signature<'a>(
    signed: &'a CanonicalJsonObject,
    user_id: &str,
    key_id: &str,
) -> Option<&'a str> {
    text(object(object(signed, "signatures")?, user_id)?, key_id)
}

/// All of `user_id`'s signatures: key id, signature.
pub(super) fn signatures_of<'a>(
    signed: &'a CanonicalJsonObject,
    user_id: &str,
) -> Vec<(&'a str, &'a str)> {
    object(signed, "signatures")
        .and_then(|all| object(all, user_id))
        .into_iter()
        .flatten()
        .filter_map(|(key_id, signature)| Some((key_id.as_str(), signature.as_str()?)))
        .collect()
}

/// Adds a signature.
pub(super) fn add_signature(
    signed: &mut CanonicalJsonObject,
    user_id: &str,
    key_id: &str,
    signature: &str,
) {
    let empty = || CanonicalJsonValue::Object(CanonicalJsonObject::new());
    let all = signed.entry("signatures".to_owned()).or_insert_with(empty);
    let CanonicalJsonValue::Object(all) = all else { return };
    let CanonicalJsonValue::Object(own) = all.entry(user_id.to_owned()).or_insert_with(empty)
    else {
        return;
    };
    own.insert(key_id.to_owned(), CanonicalJsonValue::String(signature.to_owned()));
}

/// Leaves only the signatures of the named users.
pub(super) fn keep_signatures_of(signed: &mut CanonicalJsonObject, user_ids: &[&str]) {
    if let Some(CanonicalJsonValue::Object(all)) = signed.get_mut("signatures") {
        all.retain(|user_id, _| user_ids.contains(&user_id.as_str()));
    }
}

/// The object without what a signature does not cover.
pub(super) fn unsigned(signed: &CanonicalJsonObject) -> CanonicalJsonObject {
    let mut bare = signed.clone();
    bare.remove("signatures");
    bare.remove("unsigned");
    bare
}

/// Whether `signature` (base64) over `signed` was made with `public_key` (base64).
pub(super) fn verifies(signed: &CanonicalJsonObject, public_key: &str, signature: &str) -> bool {
    let (Ok(key), Ok(signature)) =
        (Ed25519PublicKey::from_base64(public_key), Ed25519Signature::from_base64(signature))
    else {
        return false;
    };
    key.verify(to_text(&unsigned(signed)).as_bytes(), &signature).is_ok()
}

/// Refuses what is no Curve25519 key, and points of low order: a session with one has a secret that everybody knows.
pub(super) fn check_curve25519(key: &str) -> Result<(), Error> {
    let point = Curve25519PublicKey::from_base64(key)
        .map_err(|_| Error::invalid("a Curve25519 key must be 32 bytes in unpadded base64"))?;
    match Curve25519SecretKey::new().diffie_hellman(&point) {
        Some(_) => Ok(()),
        None => Err(Error::invalid("a Curve25519 key of low order protects nothing")),
    }
}

/// Refuses what is not shaped like an Ed25519 key; whether it is a point of the curve shows where it verifies something.
pub(super) fn check_ed25519(key: &str) -> Result<(), Error> {
    match STANDARD_NO_PAD.decode(key) {
        Ok(bytes) if bytes.len() == 32 => Ok(()),
        _ => Err(Error::invalid("an Ed25519 key must be 32 bytes in unpadded base64")),
    }
}

/// A device's keys that hold together: whose they are, well-formed keys, and under them no signature that is wrong.
pub(super) fn check_device_keys(
    keys: &CanonicalJsonObject,
    user_id: &str,
    device_id: &str,
) -> Result<(), Error> {
    if text(keys, "user_id") != Some(user_id) || text(keys, "device_id") != Some(device_id) {
        return Err(Error::invalid("user_id and device_id must be those of the device itself"));
    }
    if device_id.len() > NAME_BYTES_MAX {
        return Err(Error::invalid("a device id has at most 255 bytes"));
    }
    let algorithms = keys.get("algorithms").and_then(CanonicalJsonValue::as_array);
    if !algorithms.is_some_and(|list| list.iter().all(|name| name.as_str().is_some())) {
        return Err(Error::invalid("algorithms must be a list of names"));
    }
    let public = object(keys, "keys").ok_or_else(|| Error::invalid("keys are missing"))?;
    for (key_id, key) in public {
        let key = key.as_str().ok_or_else(|| Error::invalid("a key must be a string"))?;
        match key_id.split_once(':') {
            Some(("ed25519", device)) if device == device_id => check_ed25519(key)?,
            Some(("curve25519", device)) if device == device_id => check_curve25519(key)?,
            Some((_, device)) if device == device_id => {}
            _ => return Err(Error::invalid("a key id must be algorithm:device_id")),
        }
    }
    let key_id = format!("ed25519:{device_id}");
    let key = text(public, &key_id)
        .ok_or_else(|| Error::invalid("the device's ed25519 key is missing"))?;
    // Without a signature nobody believes the keys, which harms only their owner; a wrong one is a mistake or a lie.
    match signature(keys, user_id, &key_id) {
        Some(signature) if !verifies(keys, key, signature) => {
            Err(Error::BadSignature("the device's own signature does not verify".to_owned()))
        }
        _ => Ok(()),
    }
}

/// A one-time or fallback key of an algorithm.
pub(super) fn check_one_time_key(algorithm: &str, json: &str) -> Result<(), Error> {
    if json.len() > OBJECT_BYTES_MAX {
        return Err(Error::TooLarge("a one-time key has at most 65535 bytes".to_owned()));
    }
    let value: CanonicalJsonValue = serde_json::from_str(json).map_err(|error| {
        Error::invalid(format!("a one-time key is not canonical JSON: {error}"))
    })?;
    match (algorithm, &value) {
        ("signed_curve25519", CanonicalJsonValue::Object(key)) => {
            check_curve25519(text(key, "key").ok_or_else(|| Error::invalid("`key` is missing"))?)
        }
        ("signed_curve25519", _) => Err(Error::invalid("a signed key must be an object")),
        ("curve25519", CanonicalJsonValue::String(key)) => check_curve25519(key),
        (_, CanonicalJsonValue::Object(_) | CanonicalJsonValue::String(_)) => Ok(()),
        _ => Err(Error::invalid("a one-time key must be an object or a string")),
    }
}
