//! Randomness, brought in from outside so that a test can make it repeat.

use std::sync::{Arc, Mutex, PoisonError};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::{Rng, RngCore, SeedableRng, rngs::StdRng};

/// The letters and digits of ASCII.
pub const LETTERS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The operating system's randomness, or a sequence that a test chose.
#[derive(Debug, Clone, Default)]
pub struct Random(Option<Arc<Mutex<StdRng>>>);

impl Random {
    /// The same sequence for the same seed. Guessable: for tests.
    pub fn repeating(seed: u64) -> Self {
        Self(Some(Arc::new(Mutex::new(StdRng::seed_from_u64(seed)))))
    }

    /// `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.with(|random| random.fill_bytes(&mut bytes));
        bytes
    }

    /// `N` random bytes as text that fits into a URL.
    pub fn text<const N: usize>(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.bytes::<N>())
    }

    /// `count` characters of an alphabet, each as likely as any other.
    pub fn characters(&self, alphabet: &[u8], count: usize) -> String {
        let pick = |random: &mut dyn RngCore| {
            let index = random.random_range(0..alphabet.len().max(1));
            alphabet.get(index).copied().map_or('-', char::from)
        };
        (0..count).map(|_| self.with(pick)).collect()
    }

    fn with<T>(&self, work: impl FnOnce(&mut dyn RngCore) -> T) -> T {
        match &self.0 {
            None => work(&mut rand::rng()),
            Some(chosen) => work(&mut *chosen.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn a_chosen_sequence_repeats_and_the_systems_does_not() {
        let chosen = || {
            let random = Random::repeating(7);
            (random.bytes::<16>(), random.characters(b"abc", 40))
        };
        assert_eq!(chosen(), chosen());
        assert_ne!(Random::default().bytes::<16>(), Random::default().bytes::<16>());
    }

    #[test]
    fn characters_are_of_the_alphabet_and_all_of_it() {
        let text = Random::repeating(1).characters(b"xyz", 200);
        assert_eq!(text.len(), 200);
        assert!(b"xyz".iter().all(|byte| text.as_bytes().contains(byte)), "{text}");
        assert!(text.bytes().all(|byte| b"xyz".contains(&byte)), "{text}");
    }
}
