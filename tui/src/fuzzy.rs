//! Matching what was typed against names and texts.

use unicode_normalization::UnicodeNormalization;

/// Lower case and without accents, as people type when they look for something.
pub fn fold(text: &str) -> String {
    let marks = |c: &char| !('\u{300}'..='\u{36f}').contains(c);
    let mut folded = String::with_capacity(text.len());
    for c in text.nfd().filter(marks).flat_map(char::to_lowercase) {
        // What Unicode takes for letters of their own, and keyboards without them for others.
        match c {
            'ø' => folded.push('o'),
            'ł' => folded.push('l'),
            'đ' | 'ð' => folded.push('d'),
            'ı' => folded.push('i'),
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'þ' => folded.push_str("th"),
            c => folded.push(c),
        }
    }
    folded
}

/// Whether a text has all of these words, which are [`fold`]ed.
pub fn has_all(text: &str, words: &[String]) -> bool {
    let text = fold(text);
    words.iter().all(|word| text.contains(word))
}

/// How well `query` matches `text` (higher is better); `None` when its letters are not in there in order.
pub fn score(query: &str, text: &str) -> Option<i64> {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let mut at = 0;
    let mut score: i64 = 0;
    let mut previous = None;
    for wanted in query.to_lowercase().chars().filter(|c| !c.is_whitespace()) {
        let found = text.iter().skip(at).position(|c| *c == wanted)? + at;
        let starts_word = found == 0 || text.get(found - 1).is_some_and(|c| !c.is_alphanumeric());
        score += match (previous.is_some_and(|p| p + 1 == found), starts_word) {
            (true, _) => 5,
            (false, true) => 8,
            (false, false) => 1,
        };
        previous = Some(found);
        at = found + 1;
    }
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    Some(score.saturating_mul(100).saturating_sub(length))
}

/// How many letters must be put in, taken out or changed to make one of two words of the other.
pub fn slips(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, a) in one.chars().enumerate() {
        let mut next = vec![at + 1];
        for (b, pair) in other.iter().zip(row.windows(2)) {
            let (left, above) =
                (pair.first().copied().unwrap_or(0), pair.get(1).copied().unwrap_or(0));
            let beside = next.last().copied().unwrap_or(0);
            next.push((left + usize::from(a != *b)).min(above + 1).min(beside + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{score, slips};

    #[test]
    fn starts_of_words_and_runs_win() {
        assert!(score("bo", "bob") > score("bo", "crab o"));
        assert!(score("ge", "garden group e") > score("ge", "orange"));
        assert!(score("bob", "bob") > score("bob", "bobby"));
        assert_eq!(score("zz", "bob"), None);
        assert!(score("", "bob").is_some());
    }

    #[test]
    fn slips_of_the_finger_are_counted() {
        assert_eq!((slips("repyl", "reply"), slips("reply", "reply"), slips("", "abc")), (2, 0, 3));
    }
}
