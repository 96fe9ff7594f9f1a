//! `POST /keys/signatures/upload`: signatures over keys, each verified before it is kept.
//!
//! Three are legal: one's own device by one's self-signing key, one's own master key by one's device, another user's master key
//! by one's user-signing key. The rest is refused, per key, in `failures`.

use std::collections::BTreeMap;

use ruma::{CanonicalJsonObject, OwnedUserId, UserId};

use super::{
    Error, announce,
    query::{self, Published},
    record_change,
    signed_json::{self, parse_object, signatures_of, verifies},
};
use crate::{
    app::App,
    auth::Requester,
    storage::{
        Id,
        cross_signing::{self, StoredSignature},
    },
};

/// Most signed objects in one request.
const OBJECTS_MAX: usize = 1_000;

/// Why a signature was not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureFailure {
    pub errcode: &'static str,
    pub error: String,
}

/// Failures, by user and by device id or public key.
pub type SignatureFailures = BTreeMap<OwnedUserId, BTreeMap<String, SignatureFailure>>;

/// What to keep, and whom to tell.
#[derive(Default)]
struct Accepted {
    signatures: Vec<(Id, StoredSignature)>,
    /// Own devices that were signed.
    devices: Vec<String>,
    own_master: bool,
    others: Vec<Id>,
}

/// Verifies and keeps signatures over the given objects, by user and by device id or public key.
pub async fn upload_signatures(
    app: &App,
    requester: &Requester,
    signed: BTreeMap<OwnedUserId, BTreeMap<String, String>>,
) -> Result<SignatureFailures, Error> {
    if signed.values().map(BTreeMap::len).sum::<usize>() > OBJECTS_MAX {
        return Err(Error::TooLarge(format!("at most {OBJECTS_MAX} signed objects at a time")));
    }
    let own = query::published(app, &requester.user_id, requester.user, None).await?;
    let mut failures = SignatureFailures::new();
    let mut accepted = Accepted::default();
    for (user_id, objects) in signed {
        let theirs = published_of(app, requester, &user_id).await?;
        for (target, json) in objects {
            let outcome = check(requester, &own, (&user_id, theirs.as_ref()), &target, &json);
            match outcome {
                Ok(made) => accepted.add(requester, &target, made),
                Err(failure) => {
                    failures.entry(user_id.clone()).or_default().insert(target, failure);
                }
            }
        }
    }
    store(app, requester.user, accepted).await?;
    Ok(failures)
}

/// What another user has published, from the database or their server.
async fn published_of(
    app: &App,
    requester: &Requester,
    user_id: &UserId,
) -> Result<Option<(Id, Published)>, Error> {
    if *user_id == requester.user_id {
        return Ok(None);
    }
    // Asking once makes the copy fresh where there is one.
    let wanted = BTreeMap::from([(user_id.to_owned(), Vec::new())]);
    let mut answer = query::query_keys(app, requester, wanted, None).await?;
    let Some(master) = answer.master_keys.remove(user_id) else { return Ok(None) };
    let master = parse_object(master.json().get()).ok();
    let user = app.db.user(user_id.as_str()).await?;
    Ok(Some((user, Published { master, ..Published::default() })))
}

impl Accepted {
    fn add(&mut self, requester: &Requester, target: &str, made: Made) {
        let user = made.target_user;
        self.signatures.extend(made.signatures.into_iter().map(|made| (user, made)));
        if user != requester.user {
            self.others.push(user);
        } else if made.is_device {
            self.devices.push(target.to_owned());
        } else {
            self.own_master = true;
        }
    }
}

async fn store(app: &App, user: Id, accepted: Accepted) -> Result<(), Error> {
    if accepted.signatures.is_empty() {
        return Ok(());
    }
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            for (target_user, signature) in &accepted.signatures {
                cross_signing::upsert_signature(txn, *target_user, signature).await?;
            }
            for device_id in &accepted.devices {
                record_change(txn, user, Some(device_id.as_str().into())).await?;
            }
            if accepted.own_master {
                record_change(txn, user, None).await?;
            }
            for other in accepted.others {
                cross_signing::insert_signature_change(txn, user, other).await?;
            }
            Ok::<_, Error>(())
        })
    });
    write.await?;
    app.bell.ring_users([user]);
    announce(app).await
}

/// Signatures over one object.
struct Made {
    target_user: Id,
    is_device: bool,
    signatures: Vec<StoredSignature>,
}

/// The public key behind the name of a key that may sign.
type KeyByName<'a> = Box<dyn Fn(&str) -> Option<String> + 'a>;

fn check(
    requester: &Requester,
    own: &Published,
    (user_id, theirs): (&UserId, Option<&(Id, Published)>),
    target: &str,
    json: &str,
) -> Result<Made, SignatureFailure> {
    let object = parse_object(json).map_err(|error| invalid(&error.to_string()))?;
    let signer = requester.user_id.as_str();
    let made = signatures_of(&object, signer);
    if made.is_empty() {
        return Err(invalid("there is no signature of yours"));
    }
    let is_own = *user_id == requester.user_id;
    let device = own.devices.iter().find(|device| is_own && device.device_id == target);
    let (stored, target_user, allowed): (_, _, KeyByName<'_>) = if let Some(device) = device {
        let key = own.self_signing.as_ref().and_then(public_key);
        (&device.keys, requester.user, Box::new(move |id| key_named(key.as_deref(), id)))
    } else if is_own {
        let master = own.master.as_ref().filter(|key| public_key(key).as_deref() == Some(target));
        let master = master.ok_or_else(|| not_found("you have no such device or master key"))?;
        (master, requester.user, Box::new(|key_id| device_key(own, key_id)))
    } else {
        let (id, keys) = theirs.ok_or_else(|| not_found("this user has no master key"))?;
        let master = keys.master.as_ref().filter(|key| public_key(key).as_deref() == Some(target));
        let master = master.ok_or_else(|| not_found("only their master key can be signed"))?;
        let key = own.user_signing.as_ref().and_then(public_key);
        (master, *id, Box::new(move |key_id| key_named(key.as_deref(), key_id)))
    };
    if signed_json::unsigned(stored) != signed_json::unsigned(&object) {
        return Err(invalid("this is not the key that is stored"));
    }
    let mut signatures = Vec::new();
    for (key_id, signature) in made {
        // Signatures that are there already come along: a key's own upon itself, for instance.
        let known = signed_json::signature(stored, signer, key_id) == Some(signature);
        if known || key_id == format!("ed25519:{target}") {
            continue;
        }
        let key = allowed(key_id).ok_or_else(|| invalid("that key may not sign this one"))?;
        if !verifies(&object, &key, signature) {
            return Err(invalid("the signature does not verify"));
        }
        signatures.push(StoredSignature {
            target: target.to_owned(),
            signer: requester.user,
            key_id: key_id.to_owned(),
            signature: signature.to_owned(),
        });
    }
    Ok(Made { target_user, is_device: device.is_some(), signatures })
}

/// The one public key of a cross-signing key.
fn public_key(key: &CanonicalJsonObject) -> Option<String> {
    let keys = signed_json::object(key, "keys")?;
    keys.values().next()?.as_str().map(str::to_owned)
}

/// `key` if `key_id` names it.
fn key_named(key: Option<&str>, key_id: &str) -> Option<String> {
    let key = key?;
    (key_id.strip_prefix("ed25519:") == Some(key)).then(|| key.to_owned())
}

/// The signing key of one of the user's devices.
fn device_key(own: &Published, key_id: &str) -> Option<String> {
    let device_id = key_id.strip_prefix("ed25519:")?;
    let device = own.devices.iter().find(|device| device.device_id == device_id)?;
    let keys = signed_json::object(&device.keys, "keys")?;
    signed_json::text(keys, key_id).map(str::to_owned)
}

fn invalid(text: &str) -> SignatureFailure {
    SignatureFailure { errcode: "M_INVALID_SIGNATURE", error: text.to_owned() }
}

fn not_found(text: &str) -> SignatureFailure {
    SignatureFailure { errcode: "M_NOT_FOUND", error: text.to_owned() }
}
