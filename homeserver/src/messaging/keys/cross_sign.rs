//! `POST /keys/device_signing/upload`: a user's master, self-signing and user-signing keys.

use ruma::{CanonicalJsonObject, CanonicalJsonValue, UserId};

use super::{
    Error, announce, record_change,
    signed_json::{self, check_ed25519, parse_object, signatures_of, text, verifies},
};
use crate::{
    app::App,
    auth::Requester,
    storage::{
        Id,
        cross_signing::{self, StoredCrossSigningKey},
        device_keys,
    },
};

/// The keys uploaded, as JSON text.
#[derive(Debug, Clone, Default)]
pub struct CrossSigningUpload {
    pub master_key: Option<String>,
    pub self_signing_key: Option<String>,
    pub user_signing_key: Option<String>,
}

impl CrossSigningUpload {
    fn parts(&self) -> [(&'static str, Option<&str>); 3] {
        [
            ("master", self.master_key.as_deref()),
            ("self_signing", self.self_signing_key.as_deref()),
            ("user_signing", self.user_signing_key.as_deref()),
        ]
    }
}

/// Whether the user must prove themselves first: they have a master key, and the upload changes something.
pub async fn needs_authentication(
    app: &App,
    user: Id,
    upload: &CrossSigningUpload,
) -> Result<bool, Error> {
    let known = cross_signing::list_cross_signing_keys(app.db.read(), user).await?;
    Ok(known.iter().any(|key| key.usage == "master") && !is_known(&known, upload)?)
}

/// Whether all of the upload is stored already.
pub async fn changes_nothing(
    app: &App,
    user: Id,
    upload: &CrossSigningUpload,
) -> Result<bool, Error> {
    is_known(&cross_signing::list_cross_signing_keys(app.db.read(), user).await?, upload)
}

fn is_known(known: &[StoredCrossSigningKey], upload: &CrossSigningUpload) -> Result<bool, Error> {
    for (usage, json) in upload.parts() {
        let Some(json) = json else { continue };
        let new = signed_json::unsigned(&parse_object(json)?);
        let Some(old) = known.iter().find(|key| key.usage == usage) else { return Ok(false) };
        if signed_json::unsigned(&parse_object(&old.json)?) != new {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Stores the uploaded keys. A new master key takes the old one's self-signing and user-signing keys with it, unless they
/// are uploaded too. The caller has asked [`needs_authentication`].
///
/// # Errors
/// [`Error::Invalid`] for keys that are malformed, another user's, or a device's id; [`Error::BadSignature`] when the master
/// key did not sign the others.
pub async fn upload_cross_signing(
    app: &App,
    requester: &Requester,
    upload: CrossSigningUpload,
) -> Result<(), Error> {
    if changes_nothing(app, requester.user, &upload).await? {
        return Ok(());
    }
    let mut new = Vec::new();
    for (usage, json) in upload.parts() {
        if let Some(json) = json {
            new.push(check_key(&requester.user_id, usage, json)?);
        }
    }
    let user_id = requester.user_id.clone();
    let user = requester.user;
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            let known = cross_signing::list_cross_signing_keys(txn.db(), user).await?;
            let new_master = new.iter().map(|(key, _)| key).find(|key| key.usage == "master");
            let master = new_master.or(known.iter().find(|key| key.usage == "master"));
            let master = master.map(|key| key.public_key.clone()).ok_or_else(|| {
                Error::invalid("a master key must be uploaded before or with the others")
            })?;
            check_signed_by_master(&user_id, &master, &new)?;
            for (key, _) in &new {
                let device =
                    device_keys::list_devices(txn.db(), user, Some(&key.public_key)).await?;
                if !device.is_empty() {
                    return Err(Error::invalid("a cross-signing key must not be a device id"));
                }
            }
            let same_master =
                known.iter().any(|key| key.usage == "master" && key.public_key == master);
            // A new master key takes the keys with it that the old one vouched for.
            let replaced = |old: &StoredCrossSigningKey| match new
                .iter()
                .map(|(key, _)| key)
                .find(|key| key.usage == old.usage)
            {
                Some(key) => key.public_key != old.public_key,
                None => old.usage != "master" && !same_master,
            };
            for old in known.iter().filter(|old| replaced(old)) {
                cross_signing::delete_cross_signing_key(txn, user, &old.usage, &old.public_key)
                    .await?;
            }
            for (key, _) in &new {
                cross_signing::upsert_cross_signing_key(txn, user, key).await?;
            }
            record_change(txn, user, None).await?;
            Ok(())
        })
    });
    write.await?;
    announce(app).await
}

fn check_signed_by_master(
    user_id: &UserId,
    master: &str,
    keys: &[(StoredCrossSigningKey, CanonicalJsonObject)],
) -> Result<(), Error> {
    let key_id = format!("ed25519:{master}");
    for (key, object) in keys.iter().filter(|(key, _)| key.usage != "master") {
        let signature = signed_json::signature(object, user_id.as_str(), &key_id);
        if !signature.is_some_and(|signature| verifies(object, master, signature)) {
            let text = format!("the {} key is not signed by the master key", key.usage);
            return Err(Error::BadSignature(text));
        }
    }
    Ok(())
}

/// Reads a cross-signing key: its user's own, of this usage, exactly one well-formed public key.
pub(super) fn check_key(
    user_id: &UserId,
    usage: &str,
    json: &str,
) -> Result<(StoredCrossSigningKey, CanonicalJsonObject), Error> {
    let mut object = parse_object(json)?;
    object.remove("unsigned");
    if text(&object, "user_id") != Some(user_id.as_str()) {
        return Err(Error::invalid("user_id must be that of the key's own user"));
    }
    let usages = object.get("usage").and_then(CanonicalJsonValue::as_array);
    if !usages.is_some_and(|list| list.iter().any(|one| one.as_str() == Some(usage))) {
        return Err(Error::invalid(format!("the usage of this key must be {usage}")));
    }
    let public_key = match signed_json::object(&object, "keys") {
        Some(keys) if keys.len() == 1 => keys.iter().find_map(|(key_id, key)| {
            let name = key_id.strip_prefix("ed25519:")?;
            (key.as_str() == Some(name)).then(|| name.to_owned())
        }),
        _ => None,
    };
    let public_key = public_key.ok_or_else(|| {
        Error::invalid("there must be one key, named ed25519: and the key itself")
    })?;
    check_ed25519(&public_key)?;
    check_own_signatures(user_id, &object)?;
    let stored = StoredCrossSigningKey {
        usage: usage.to_owned(),
        public_key,
        json: signed_json::to_text(&object),
    };
    Ok((stored, object))
}

/// Signatures must at least be text; whose they are is checked by who uses them.
fn check_own_signatures(user_id: &UserId, object: &CanonicalJsonObject) -> Result<(), Error> {
    match object.get("signatures") {
        None | Some(CanonicalJsonValue::Object(_)) => {}
        Some(_) => return Err(Error::invalid("signatures must be an object")),
    }
    let too_many = signatures_of(object, user_id.as_str()).len() > 1_000;
    if too_many { Err(Error::invalid("too many signatures")) } else { Ok(()) }
}
