//! A mail that arrived, however it came: through SMTP or out of the file transport.

use anyhow::{Context, Result};
use mail_parser::MessageParser;
use serde_json::Value;

/// One mail, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The addresses it went to.
    pub to: Vec<String>,
    /// The decoded subject.
    pub subject: String,
    /// The plain part.
    pub text: String,
    /// The HTML part; empty where there is none.
    pub html: String,
}

impl Mail {
    /// Parses a message as it came over SMTP, sent to `to`.
    ///
    /// # Errors
    /// When it is no message.
    pub fn parse(raw: &[u8], to: Vec<String>) -> Result<Self> {
        let message = MessageParser::default().parse(raw).context("not a mail message")?;
        Ok(Self {
            to,
            subject: message.subject().unwrap_or_default().to_owned(),
            text: message.body_text(0).unwrap_or_default().into_owned(),
            html: message.body_html(0).unwrap_or_default().into_owned(),
        })
    }

    /// Reads one line of `ternd mail --json`.
    ///
    /// # Errors
    /// When the line is no such object.
    pub fn from_json(line: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(line).context("a line of `ternd mail --json`")?;
        let text =
            |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let to = match value.get("to") {
            Some(Value::Array(all)) => {
                all.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            _ => vec![text("to")],
        };
        Ok(Self { to, subject: text("subject"), text: text("text"), html: text("html") })
    }

    /// Whether it went to `address`.
    pub fn is_for(&self, address: &str) -> bool {
        let bare = |to: &str| {
            let to = to.rsplit_once('<').map_or(to, |(_, rest)| rest);
            to.trim_end_matches('>').trim().to_lowercase()
        };
        self.to.iter().any(|to| bare(to) == address.to_lowercase())
    }

    /// The code to type: a word of 8 to 24 capital letters, digits and dashes that stands alone on a line of the plain part.
    ///
    /// # Errors
    /// When there is none; the text is shown.
    pub fn code(&self) -> Result<String> {
        let is_code = |line: &&str| {
            (8..=24).contains(&line.len())
                && line.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-')
                && line.chars().any(char::is_alphanumeric)
        };
        let code = self.text.lines().map(str::trim).find(is_code);
        code.map(str::to_owned).with_context(|| format!("no code in this mail:\n{}", self.text))
    }

    /// The first link of the plain part.
    ///
    /// # Errors
    /// When there is none.
    pub fn link(&self) -> Result<String> {
        self.text
            .split_whitespace()
            .find(|word| word.starts_with("https://") || word.starts_with("http://"))
            .map(str::to_owned)
            .with_context(|| format!("no link in this mail:\n{}", self.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_from_smtp_is_decoded() {
        let raw = "To: alice@example.org\r\nSubject: =?utf-8?q?Your_code?=\r\n\
            Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
            Hi =E2=9C=93\r\n\r\n    K7QM-2XWD\r\n\r\nor https://example.org/m?a=3Db\r\n";

        let mail = Mail::parse(raw.as_bytes(), vec!["alice@example.org".to_owned()]).unwrap();

        assert_eq!(mail.subject, "Your code");
        assert!(mail.text.starts_with("Hi ✓"));
        assert_eq!(mail.code().unwrap(), "K7QM-2XWD");
        assert_eq!(mail.link().unwrap(), "https://example.org/m?a=b");
    }

    #[test]
    fn a_mail_is_for_its_address_whatever_the_case() {
        let line =
            r#"{"to":"Alice <alice@Example.org>","subject":"","text":"","html":"","file":"1.eml"}"#;

        let mail = Mail::from_json(line).unwrap();

        assert!(mail.is_for("Alice@example.org"));
        assert!(!mail.is_for("bob@example.org"));
    }
}
