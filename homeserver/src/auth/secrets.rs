//! Random secrets, and their hashes: what the database keeps of them.

use sha2::{Digest, Sha256};

use crate::{random::Random, storage::tokens::TokenHash};

/// Letters and digits that nobody confuses when reading them from a screen or aloud.
const CODE_ALPHABET: &[u8] = b"23456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Characters of a mailed code: about 39 bits, against 5 tries.
const CODE_CHARS: usize = 8;

/// 256 random bits as text.
pub(super) fn token(random: &Random) -> String {
    random.text::<32>()
}

/// 128 random bits as text: an identifier that can't be guessed.
pub(super) fn identifier(random: &Random) -> String {
    random.text::<16>()
}

/// What the database keeps of a token.
pub(super) fn hash(token: &str) -> TokenHash {
    Sha256::digest(token.as_bytes()).into()
}

/// What the database keeps of a secret that belongs to `sid`.
pub(super) fn hash_for(sid: &str, secret: &str) -> TokenHash {
    Sha256::new().chain_update(sid).chain_update([0]).chain_update(secret).finalize().into()
}

/// A code to be typed, 8 characters.
pub(super) fn code(random: &Random) -> String {
    random.characters(CODE_ALPHABET, CODE_CHARS)
}

/// A typed code as it was made: upper case, without the spaces and dashes that people add.
pub(super) fn normalize_code(typed: &str) -> String {
    typed.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

/// A device ID, ten letters.
pub(super) fn device_id(random: &Random) -> String {
    random.characters(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", 10)
}
