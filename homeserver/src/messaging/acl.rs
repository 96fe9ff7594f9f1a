//! Server access control lists ([spec]): who may send into a room at all.
//!
//! Globs match case-insensitively and in linear time; the list is bounded.
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#server-access-control-lists-acls-for-rooms

use ruma::ServerName;
use serde::Deserialize;

use super::{Engine, Error, Room};

/// Most patterns of a list that are looked at.
const PATTERNS_MAX: usize = 10_000;

#[derive(Deserialize)]
struct Content {
    #[serde(default)]
    allow: Vec<String>,
    #[serde(default)]
    deny: Vec<String>,
    #[serde(default = "yes")]
    allow_ip_literals: bool,
}

fn yes() -> bool {
    true
}

/// Whether the room lets `server` take part.
pub(super) async fn allows(
    engine: &Engine,
    room: &Room,
    server: &ServerName,
) -> Result<bool, Error> {
    let Some(event) = engine.state_event(room, "m.room.server_acl", "").await? else {
        return Ok(true);
    };
    let Some(content) = event.content_as::<Content>() else { return Ok(true) };
    Ok(content.allows(server))
}

impl Content {
    fn allows(&self, server: &ServerName) -> bool {
        if !self.allow_ip_literals && server.is_ip_literal() {
            return false;
        }
        let host = server.host().to_ascii_lowercase();
        let any = |patterns: &[String]| {
            patterns
                .iter()
                .take(PATTERNS_MAX)
                .any(|pattern| matches(&pattern.to_ascii_lowercase(), &host))
        };
        !any(&self.deny) && any(&self.allow)
    }
}

/// Whether `text` fits `pattern`, in which `*` stands for anything and `?` for one character. Linear: the last star only
/// ever moves forward.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t, mut star) = (0, 0, None);
    while let Some(c) = text.get(t) {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(wanted) if *wanted == '?' || wanted == c => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (p, t) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::{Content, matches};

    #[test]
    fn globs_match_as_the_specification_says() {
        let cases = [
            ("*", "example.org", true),
            ("*.example.org", "a.example.org", true),
            ("*.example.org", "example.org", false),
            ("ex?mple.org", "example.org", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("", "", true),
            ("?", "", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(matches(pattern, text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn case_does_not_get_around_a_list_and_ip_literals_can_be_refused() {
        let list = |deny: &str, allow_ip_literals| Content {
            allow: vec!["*".to_owned()],
            deny: vec![deny.to_owned()],
            allow_ip_literals,
        };
        let name = |name: &str| ruma::OwnedServerName::try_from(name).unwrap();
        assert!(!list("EVIL.example.org", true).allows(&name("evil.example.org:8448")));
        assert!(!list("evil.example.org", true).allows(&name("Evil.Example.org")));
        assert!(!list("", false).allows(&name("1.2.3.4")));
        assert!(list("", true).allows(&name("1.2.3.4")));
    }

    #[test]
    fn a_pathological_pattern_takes_linear_time() {
        let pattern = "*a".repeat(2_000);
        assert!(!matches(&pattern, &"a".repeat(1_999)));
    }
}
