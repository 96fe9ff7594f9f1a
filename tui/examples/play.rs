//! The client's screens on a scripted backend, to look at them by hand: `cargo run -p tern-tui --example play [chats]`.

use futures_util::stream;
use std::sync::Mutex;
use tern_tui::app::App;
use tern_tui::backend::fake::Fake;
use tern_tui::backend::{
    AccountId, Body, Chat, ChatKind, Connection, Encryption, Message, Preview, Profile, Recovery,
    Relations, Report, Request, Secret, ServerInfo, Ticks,
};
use tern_tui::state::State;
use tern_tui::state::welcome::Welcome;
use tern_tui::terminal::{Screen, restore_on_panic};

const DAY_MS: u64 = 86_400_000;

#[expect(clippy::disallowed_methods, reason = "an example has no other clock")]
fn now_ms() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |now| now.as_secs() * 1000)
}

fn message(key: usize, own: bool, text: &str, at_ms: u64) -> Message {
    let name = if own { "alice" } else { "bob" };
    Message {
        key: key.to_string(),
        at_ms,
        sender: format!("@{name}:example.org"),
        sender_name: name.to_owned(),
        own,
        body: Body::Text { text: text.to_owned(), html: None },
        edited: false,
        reply: None,
        reactions: Vec::new(),
        ticks: own.then_some(Ticks::Read),
        read_by: Vec::new(),
        warning: None,
        relations: Relations::default(),
    }
}

fn chats() -> Vec<Chat> {
    let names = ["bob", "Garden 🌻", "日本語の部屋", "שלום", "Choir"];
    let chat = |(n, name): (u64, &str)| Chat {
        id: format!("!{n}:example.org"),
        name: name.to_owned(),
        kind: if n.is_multiple_of(5) { ChatKind::Direct } else { ChatKind::Group },
        peer: n.is_multiple_of(5).then(|| format!("@bob{n}:example.org")),
        encrypted: true,
        members: n + 2,
        unread: n % 3,
        last: Some(Preview {
            sender: "bob".to_owned(),
            own: n % 2 == 1,
            text: "see you there".to_owned(),
            at_ms: now_ms() - n * DAY_MS / 3,
            ticks: (n % 2 == 1).then_some(Ticks::Read),
        }),
        ..Chat::default()
    };
    let mut chats: Vec<Chat> = (0..30).zip(names.into_iter().cycle()).map(chat).collect();
    chats.push(Chat {
        id: "!invited:example.org".to_owned(),
        name: "Walks".to_owned(),
        invited_by: Some("@bob:example.org".to_owned()),
        ..Chat::default()
    });
    chats
}

fn first_messages() -> Vec<Message> {
    let words = "the quick brown fox jumps over the lazy dog and runs on through the wood until nobody can see it any more";
    (0..120)
        .map(|n: usize| {
            let text: Vec<&str> = words.split(' ').take(1 + n * 7 % 21).collect();
            message(
                n,
                n.is_multiple_of(3),
                &text.join(" "),
                now_ms() - DAY_MS * 2 + u64::try_from(n).unwrap_or(0) * 1_400_000,
            )
        })
        .collect()
}

fn answer(messages: &Mutex<Vec<Message>>, request: &Request) -> Vec<Report> {
    let me = Report::LoggedIn {
        user: "@alice:example.org".to_owned(),
        server: "example.org".to_owned(),
        device: "PLAY".to_owned(),
    };
    let Ok(mut messages) = messages.lock() else { return Vec::new() };
    match request {
        Request::FindServer { .. } => vec![Report::ServerFound(ServerInfo {
            name: "example.org".to_owned(),
            url: "https://example.org".to_owned(),
            registration: true,
            wants_email: true,
            wants_token: false,
            takes_email: true,
            password_login: true,
            sso: Vec::new(),
        })],
        Request::Register { email, .. } => {
            vec![Report::RegistrationStep(tern_tui::backend::MailStep::MailSent {
                email: email.clone().unwrap_or_default(),
                code: true,
            })]
        }
        Request::LogIn { .. } | Request::SubmitMailCode { .. } => vec![
            me,
            Report::Connection(Connection::Online),
            Report::chats(chats()),
            Report::Encryption(Encryption { verified: true, recovery: Recovery::Disabled }),
        ],
        Request::EnableRecovery => vec![
            Report::RecoveryKey(Secret("EsTb 1a2b 3c4d 5e6f 7g8h 9jkm".to_owned())),
            Report::Encryption(Encryption { verified: true, recovery: Recovery::Enabled }),
        ],
        Request::OpenChat { chat } => vec![
            Report::Timeline { chat: chat.clone(), messages: messages.clone() },
            Report::HistoryEnd { chat: chat.clone() },
        ],
        Request::SendText { chat, text, .. } => {
            let key = messages.len() + 1000;
            messages.push(message(key, true, text, now_ms()));
            vec![Report::Timeline { chat: chat.clone(), messages: messages.clone() }]
        }
        Request::FetchProfile { user } => vec![Report::Profile(Profile {
            user: user.clone().unwrap_or_else(|| "@alice:example.org".to_owned()),
            display_name: Some("Alice".to_owned()),
            bio: Some("Grows beans.".to_owned()),
            ..Profile::default()
        })],
        _ => Vec::new(),
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    restore_on_panic();
    let (sender, mut reports) = tokio::sync::mpsc::unbounded_channel();
    let messages = Mutex::new(first_messages());
    let fake = Fake::scripted(sender.clone(), move |request| answer(&messages, request));
    if std::env::args().any(|argument| argument == "chats") {
        for report in answer(
            &Mutex::new(Vec::new()),
            &Request::LogIn { user: String::new(), password: Secret(String::new()) },
        ) {
            drop(sender.send((AccountId::FIRST, report)));
        }
    }
    let state = State {
        size: crossterm::terminal::size()?,
        welcome: Some(Welcome::new("")),
        ..State::default()
    };
    let mut screen = Screen::new(std::io::stdout(), true);
    screen.enter()?;
    let mut app = App::new(state, screen, None);
    app.attach(Box::new(fake));
    let ran = app.run(tern_tui::input::from_terminal()?, &mut reports, stream::pending()).await;
    app.screen_mut().leave()?;
    ran
}
