//! Matching what was typed in the switcher against names.

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

#[cfg(test)]
mod tests {
    use super::score;

    #[test]
    fn starts_of_words_and_runs_win() {
        assert!(score("bo", "bob") > score("bo", "crab o"));
        assert!(score("ge", "garden group e") > score("ge", "orange"));
        assert!(score("bob", "bob") > score("bob", "bobby"));
        assert_eq!(score("zz", "bob"), None);
        assert!(score("", "bob").is_some());
    }
}
