//! Our own key: load or make it, sign JSON and events with it, publish its public half. Others' keys are in `key_ring`.

use std::{
    collections::BTreeMap,
    fmt, fs,
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
    time::{Duration, SystemTime},
};

use base64::{
    Engine as _, alphabet,
    engine::{
        DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD_NO_PAD,
    },
};
use rand::{Rng as _, TryRngCore as _, distr::Alphabetic, rngs::OsRng};
use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, OwnedServerSigningKeyId, ServerName,
    api::federation::discovery::{OldVerifyKey, ServerSigningKeys},
    canonical_json::redact,
    room_version_rules::RoomVersionRules,
    serde::{Base64, Raw},
    signatures::{Ed25519KeyPair, KeyPair as _},
};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::clock::{later, to_ts};

/// How long others may rely on the published key document.
pub const KEY_DOCUMENT_VALIDITY: Duration = Duration::from_secs(7 * 24 * 3600);

/// What stands before a seed in an Ed25519 private key as DER (RFC 8410).
const DER_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// Seeds as they are found: padded or not, and with stray bits at the end as in the specification's own example.
const SEED_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Public keys whose seeds everybody knows (the specification's test vectors; nothing but zeros). Refused from a file.
const KNOWN_KEYS: [&str; 2] =
    ["XGX0JRS2Af3be3knz2fBiRbApjm2Dh61gXDJA8kcJNI", "O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik"];

/// Why a key could not be used. Never holds the key.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    #[error("the signing key file could not be read or written: {0}")]
    File(#[from] io::Error),
    #[error("the signing key file must hold `ed25519 <key id> <unpadded base64 seed>`")]
    Format,
    /// The seed is published somewhere; anybody could sign in our name.
    #[error("the signing key is publicly known; delete the file to have a new one made")]
    KnownKey,
    #[error("the system gave no randomness for a new signing key")]
    NoRandomness,
    /// `signatures`, `hashes` or `content` is not what it must be in a signed object.
    #[error("the JSON cannot be signed: {0}")]
    Json(String),
}

/// The key this server signs with, and the keys it once signed with.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    key_id: OwnedServerSigningKeyId,
    old: BTreeMap<OwnedServerSigningKeyId, OldVerifyKey>,
}

impl SigningKey {
    /// The key in the file at `path`, which is made (mode 0600, synced) if it is not there.
    ///
    /// The format is one line, `ed25519 <version> <unpadded base64 seed>`, as Synapse writes it.
    pub fn load_or_create(path: &Path) -> Result<Self, SigningError> {
        match fs::read_to_string(path) {
            Ok(text) => {
                if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
                    tracing::warn!(
                        "the signing key file can be read by others; set its mode to 0600"
                    );
                }
                Self::parse(&Zeroizing::new(text))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::create(path),
            Err(error) => Err(error.into()),
        }
    }

    /// The key with version `version` (the part after `ed25519:`) and the unpadded base64 `seed`.
    pub fn from_seed(version: &str, seed: &str) -> Result<Self, SigningError> {
        let seed = Zeroizing::new(SEED_BASE64.decode(seed).map_err(|_| SigningError::Format)?);
        if seed.len() != 32 {
            return Err(SigningError::Format);
        }
        let mut der = Zeroizing::new(Vec::with_capacity(48));
        der.extend_from_slice(&DER_PREFIX);
        der.extend_from_slice(&seed);
        let pair =
            Ed25519KeyPair::from_der(&der, version.to_owned()).map_err(|_| SigningError::Format)?;
        let key_id = OwnedServerSigningKeyId::try_from(format!("ed25519:{version}"))
            .map_err(|_| SigningError::Format)?;
        Ok(Self { pair, key_id, old: BTreeMap::new() })
    }

    /// Adds keys that this server no longer signs with; they are published in `old_verify_keys`.
    #[must_use]
    pub fn with_old_keys(mut self, old: BTreeMap<OwnedServerSigningKeyId, OldVerifyKey>) -> Self {
        self.old = old;
        self
    }

    /// The name others know this key by: `ed25519:<version>`.
    pub fn key_id(&self) -> &ruma::ServerSigningKeyId {
        &self.key_id
    }

    /// The public half.
    pub fn public_key(&self) -> Base64 {
        Base64::new(self.pair.public_key().to_vec())
    }

    /// The keys this server no longer signs with.
    pub fn old_keys(&self) -> &BTreeMap<OwnedServerSigningKeyId, OldVerifyKey> {
        &self.old
    }

    pub(crate) fn pair(&self) -> &Ed25519KeyPair {
        &self.pair
    }

    /// Signs `object` as `server_name`; `unsigned` and existing signatures are left as they are.
    pub fn sign_json(
        &self,
        server_name: &ServerName,
        object: &mut CanonicalJsonObject,
    ) -> Result<(), SigningError> {
        let signatures = take_object(object, "signatures")?;
        let unsigned = object.remove("unsigned");
        let signed = serde_json::to_vec(object);
        if let Some(unsigned) = unsigned {
            object.insert("unsigned".to_owned(), unsigned);
        }
        let signature = signed.map(|bytes| self.sign(&bytes)).map_err(not_json)?;
        object.insert(
            "signatures".to_owned(),
            self.add_signature(signatures, server_name, signature)?,
        );
        Ok(())
    }

    /// Adds the content hash and our signature to an event that we built ourselves.
    ///
    /// Spec: server-server "Signing Events". Serialises twice and parses nothing.
    pub fn hash_and_sign_event(
        &self,
        server_name: &ServerName,
        event: &mut CanonicalJsonObject,
        rules: &RoomVersionRules,
    ) -> Result<(), SigningError> {
        let signatures = take_object(event, "signatures")?;
        let mut hashes = take_object(event, "hashes")?;
        let unsigned = event.remove("unsigned");

        let content_hash = Sha256::digest(serde_json::to_vec(event).map_err(not_json)?);
        hashes.insert(
            "sha256".to_owned(),
            CanonicalJsonValue::String(STANDARD_NO_PAD.encode(content_hash)),
        );
        event.insert("hashes".to_owned(), CanonicalJsonValue::Object(hashes));

        let redacted = redact(event.clone(), &rules.redaction, None).map_err(not_json)?;
        let signature = self.sign(&serde_json::to_vec(&redacted).map_err(not_json)?);
        event.insert(
            "signatures".to_owned(),
            self.add_signature(signatures, server_name, signature)?,
        );
        if let Some(unsigned) = unsigned {
            event.insert("unsigned".to_owned(), unsigned);
        }
        Ok(())
    }

    /// Adds our signature to an event that was hashed before: the co-signature of an invite or a restricted join.
    ///
    /// The caller has checked that the event is one we mean to vouch for; the hash is not touched.
    pub fn sign_event(
        &self,
        server_name: &ServerName,
        event: &mut CanonicalJsonObject,
        rules: &RoomVersionRules,
    ) -> Result<(), SigningError> {
        let mut redacted = redact(event.clone(), &rules.redaction, None).map_err(not_json)?;
        redacted.remove("signatures");
        redacted.remove("unsigned");
        let signature = self.sign(&serde_json::to_vec(&redacted).map_err(not_json)?);
        let signatures = take_object(event, "signatures")?;
        event.insert(
            "signatures".to_owned(),
            self.add_signature(signatures, server_name, signature)?,
        );
        Ok(())
    }

    /// The signed document that `GET /_matrix/key/v2/server` answers with.
    pub fn key_document(
        &self,
        server_name: &ServerName,
        now: SystemTime,
    ) -> Result<Raw<ServerSigningKeys>, SigningError> {
        let document = serde_json::json!({
            "server_name": server_name,
            "valid_until_ts": later(to_ts(now), KEY_DOCUMENT_VALIDITY),
            "verify_keys": { self.key_id.as_str(): { "key": self.public_key() } },
            "old_verify_keys": self.old,
        });
        let CanonicalJsonValue::Object(mut object) = document.try_into().map_err(not_json)? else {
            return Err(SigningError::Json("not an object".to_owned()));
        };
        self.sign_json(server_name, &mut object)?;
        Ok(Raw::new(&object).map_err(not_json)?.cast_unchecked())
    }

    fn sign(&self, bytes: &[u8]) -> String {
        self.pair.sign(bytes).base64()
    }

    fn add_signature(
        &self,
        mut signatures: CanonicalJsonObject,
        server_name: &ServerName,
        signature: String,
    ) -> Result<CanonicalJsonValue, SigningError> {
        let ours = signatures
            .entry(server_name.to_string())
            .or_insert_with(|| CanonicalJsonValue::Object(BTreeMap::new()));
        let CanonicalJsonValue::Object(ours) = ours else {
            return Err(SigningError::Json(format!("signatures.{server_name} is not an object")));
        };
        ours.insert(self.key_id.to_string(), CanonicalJsonValue::String(signature));
        Ok(CanonicalJsonValue::Object(signatures))
    }

    fn parse(text: &str) -> Result<Self, SigningError> {
        let line = text.lines().find(|line| !line.trim().is_empty()).ok_or(SigningError::Format)?;
        let mut words = line.split_whitespace();
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("ed25519"), Some(version), Some(seed), None) => {
                let key = Self::from_seed(version, seed)?;
                if KNOWN_KEYS.contains(&key.public_key().encode().as_str()) {
                    return Err(SigningError::KnownKey);
                }
                Ok(key)
            }
            _ => Err(SigningError::Format),
        }
    }

    fn create(path: &Path) -> Result<Self, SigningError> {
        let mut seed = Zeroizing::new([0_u8; 32]);
        OsRng.try_fill_bytes(seed.as_mut()).map_err(|_| SigningError::NoRandomness)?;
        let suffix: String = rand::rng().sample_iter(Alphabetic).take(4).map(char::from).collect();
        let version = format!("a_{suffix}");
        let seed = Zeroizing::new(STANDARD_NO_PAD.encode(seed.as_ref()));
        let key = Self::from_seed(&version, &seed)?;

        let line = Zeroizing::new(format!("ed25519 {version} {}\n", seed.as_str()));
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(line.as_bytes())?;
        file.sync_all()?;
        // A key that a crash takes away would leave events signed by nobody.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(key)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SigningKey").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

fn take_object(
    object: &mut CanonicalJsonObject,
    field: &str,
) -> Result<CanonicalJsonObject, SigningError> {
    match object.remove(field) {
        None => Ok(BTreeMap::new()),
        Some(CanonicalJsonValue::Object(value)) => Ok(value),
        Some(_) => Err(SigningError::Json(format!("{field} is not an object"))),
    }
}

fn not_json(error: impl fmt::Display) -> SigningError {
    SigningError::Json(error.to_string())
}
