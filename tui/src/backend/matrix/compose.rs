//! What was typed as the content of a message: Markdown, `/me`, and ids of people and chats as links that clients show by name.

use matrix_sdk::Room;
use ruma::{
    OwnedUserId, UserId,
    events::{
        Mentions,
        room::message::{
            EmoteMessageEventContent, FormattedBody, MessageType,
            RoomMessageEventContentWithoutRelation as Content, TextMessageEventContent,
        },
    },
};

/// What is in a text besides words.
#[derive(Debug, PartialEq)]
enum Piece<'a> {
    Words(&'a str),
    /// A user id.
    Person(&'a str),
    /// A room alias.
    Chat(&'a str),
    /// `@room`.
    Everybody,
}

/// The content of `text`. Ids of members of `room` become their names, and are mentioned.
pub(super) async fn content(room: &Room, text: &str) -> Content {
    let (emote, text) = match text.strip_prefix("/me ") {
        Some(rest) => (true, rest),
        // A second slash is how a line begins with one.
        None => {
            (false, text.strip_prefix('/').filter(|rest| rest.starts_with('/')).unwrap_or(text))
        }
    };
    let mut mentions = Mentions::new();
    // As plain text, and as Markdown with links.
    let (mut plain, mut linked) = (String::new(), String::new());
    for piece in pieces(text) {
        match piece {
            Piece::Words(words) => {
                plain.push_str(words);
                linked.push_str(words);
            }
            Piece::Chat(alias) => {
                plain.push_str(alias);
                linked.push_str(&link(alias, alias));
            }
            Piece::Everybody => {
                mentions.room = true;
                plain.push_str("@room");
                linked.push_str("@room");
            }
            Piece::Person(id) => {
                let Some((user, name)) = member(room, id).await else {
                    plain.push_str(id);
                    linked.push_str(id);
                    continue;
                };
                plain.push_str(&name);
                linked.push_str(&link(&name, id));
                mentions.user_ids.insert(user);
            }
        }
    }
    let formatted = FormattedBody::markdown(&linked);
    let message = if emote {
        let mut content = EmoteMessageEventContent::plain(plain);
        content.formatted = formatted;
        MessageType::Emote(content)
    } else {
        let mut content = TextMessageEventContent::plain(plain);
        content.formatted = formatted;
        MessageType::Text(content)
    };
    // Said even when nobody is mentioned: without it, servers would look for names in the text.
    let mut content = Content::new(message);
    content.mentions = Some(mentions);
    content
}

async fn member(room: &Room, id: &str) -> Option<(OwnedUserId, String)> {
    let user = UserId::parse(id).ok()?;
    let member = room.get_member_no_sync(&user).await.ok().flatten()?;
    Some((user, member.name().to_owned()))
}

/// A Markdown link to what `id` names.
fn link(name: &str, id: &str) -> String {
    let mut shown = String::new();
    for c in name.chars() {
        if matches!(c, '\\' | '[' | ']' | '*' | '_' | '`' | '<' | '>' | '~' | '&' | '!') {
            shown.push('\\');
        }
        shown.push(c);
    }
    let target: String =
        url::form_urlencoded::byte_serialize(id.as_bytes()).collect::<String>().replace('+', "%20");
    format!("[{shown}](https://matrix.to/#/{target})")
}

/// Takes `text` apart. What stands in code is left alone.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut from, mut code) = (0, false);
    let mut before = ' ';
    let mut rest = text.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        let starts = !before.is_alphanumeric() && !matches!(before, '/' | '@' | '#');
        before = c;
        if c == '`' {
            code = !code;
        }
        if code || !starts || !matches!(c, '@' | '#') {
            continue;
        }
        let Some(word) = text.get(at..).map(word) else { continue };
        let piece = match c {
            '@' if word == "@room" => Piece::Everybody,
            '@' if is_id(word) => Piece::Person(word),
            '#' if is_id(word) => Piece::Chat(word),
            _ => continue,
        };
        pieces.extend(text.get(from..at).filter(|words| !words.is_empty()).map(Piece::Words));
        pieces.push(piece);
        from = at + word.len();
        while rest.next_if(|(at, _)| *at < from).is_some() {}
        before = ' ';
    }
    pieces.extend(text.get(from..).filter(|words| !words.is_empty()).map(Piece::Words));
    pieces
}

/// The id that `text` begins with, if it is one: without what ends a sentence.
fn word(text: &str) -> &str {
    let end = text
        .char_indices()
        .skip(1)
        .find(|(_, c)| c.is_whitespace() || matches!(c, '`' | '<' | '>' | ')' | '(' | '"' | ','))
        .map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or_default().trim_end_matches(['.', ':', ';', '!', '?', '\''])
}

fn is_id(word: &str) -> bool {
    let parts = word.get(1..).and_then(|word| word.split_once(':'));
    parts.is_some_and(|(local, server)| !local.is_empty() && !server.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{Piece, link, pieces};

    #[test]
    fn ids_are_found_among_words_and_left_alone_in_code() {
        assert_eq!(
            pieces("hi @bob:example.org, see #garden:example.org. @room!"),
            [
                Piece::Words("hi "),
                Piece::Person("@bob:example.org"),
                Piece::Words(", see "),
                Piece::Chat("#garden:example.org"),
                Piece::Words(". "),
                Piece::Everybody,
                Piece::Words("!"),
            ]
        );
        assert_eq!(pieces("`@bob:example.org` a@b:c"), [Piece::Words("`@bob:example.org` a@b:c")]);
    }

    #[test]
    fn a_name_can_not_break_out_of_its_link() {
        assert_eq!(link("a](b) *c", "@a:b"), "[a\\](b) \\*c](https://matrix.to/#/%40a%3Ab)");
    }
}
