//! People, chats and an app on the fake backend, for the key and screen tests.

use tern_tui::action::Action;
use tern_tui::app::App;
use tern_tui::backend::fake::Fake;
use tern_tui::backend::{
    AccountId, Body, Chat, ChatKind, Connection, Message, Preview, Relations, Report, Request,
    Ticks,
};
use tern_tui::input;
use tern_tui::screens;
use tern_tui::state::State;
use tern_tui::state::welcome::Welcome;
use tern_tui::terminal::Screen;
use tern_tui::zone::Zone;

/// Monday, 2 March 2026, 12:00 UTC.
pub(crate) const NOON: u64 = 1_772_452_800_000;
pub(crate) const MINUTE: u64 = 60_000;

pub(crate) struct Client {
    pub(crate) app: App<Vec<u8>>,
    pub(crate) fake: Fake,
}

impl Client {
    /// Nobody logged in.
    pub(crate) fn new(columns: u16, rows: u16) -> Client {
        let state = State {
            size: (columns, rows),
            zone: Zone::Utc,
            welcome: Some(Welcome::new("")),
            ..State::default()
        };
        let mut app = App::new(state, Screen::new(Vec::new(), true), None);
        let fake = Fake::silent();
        app.attach(Box::new(fake.clone()));
        Client { app, fake }
    }

    /// Alice, logged in, with the sample chats.
    pub(crate) fn with_chats(columns: u16, rows: u16) -> Client {
        let mut client = Client::new(columns, rows);
        client.report(logged_in());
        client.report(Report::Connection(Connection::Online));
        client.report(Report::chats(chats()));
        client.fake.take_requests();
        client
    }

    /// The same with bob's chat open.
    pub(crate) fn in_bobs_chat(columns: u16, rows: u16) -> Client {
        let mut client = Client::with_chats(columns, rows);
        client.keys("j enter");
        client
            .report(Report::Timeline { chat: "!bob:example.org".to_owned(), messages: messages() });
        client.report(Report::HistoryEnd { chat: "!bob:example.org".to_owned() });
        client.fake.take_requests();
        client
    }

    pub(crate) fn keys(&mut self, script: &str) {
        for input in input::script(script).expect("a script of keys") {
            let input::Input::Key(key) = input else { continue };
            self.app.act(Action::Key(key)).unwrap();
        }
    }

    /// Types text as a person would, letter by letter.
    pub(crate) fn types(&mut self, text: &str) {
        for c in text.chars() {
            let key = if c == ' ' {
                input::Key::parse("space")
            } else {
                input::Key::parse(&c.to_string())
            };
            self.app.act(Action::Key(key.unwrap())).unwrap();
        }
    }

    pub(crate) fn report(&mut self, report: Report) {
        self.report_of(AccountId::FIRST, report);
    }

    /// The same of another account than the first.
    pub(crate) fn report_of(&mut self, account: AccountId, report: Report) {
        self.app.act(Action::Report(account, report)).unwrap();
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.fake.take_requests()
    }

    /// The screen as text; the cursor's place stands in the last line.
    pub(crate) fn screen(&mut self) -> String {
        self.app.state.now_ms = NOON + 5 * MINUTE;
        let (buffer, cursor) = screens::draw(&self.app.state);
        let mut text = String::new();
        for y in 0..buffer.area.height {
            let mut row = String::new();
            let mut skip = 0;
            for x in 0..buffer.area.width {
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                let symbol = buffer.cell((x, y)).unwrap().symbol();
                skip = unicode_width::UnicodeWidthStr::width(symbol).max(1) - 1;
                row.push_str(symbol);
            }
            text.push_str(row.trim_end());
            text.push('\n');
        }
        match cursor {
            Some(cursor) => text.push_str(&format!("[cursor {} {}]", cursor.x, cursor.y)),
            None => text.push_str("[no cursor]"),
        }
        text
    }
}

pub(crate) fn logged_in() -> Report {
    Report::LoggedIn {
        user: "@alice:example.org".to_owned(),
        server: "example.org".to_owned(),
        device: "DEVICE".to_owned(),
    }
}

pub(crate) fn preview(sender: &str, text: &str, at_ms: u64) -> Option<Preview> {
    Some(Preview {
        sender: sender.to_owned(),
        own: false,
        text: text.to_owned(),
        at_ms,
        ticks: None,
    })
}

pub(crate) fn chats() -> Vec<Chat> {
    let direct = |id: &str, name: &str| Chat {
        id: id.to_owned(),
        name: name.to_owned(),
        kind: ChatKind::Direct,
        encrypted: true,
        members: 2,
        ..Chat::default()
    };
    vec![
        Chat {
            peer: Some("@bob:example.org".to_owned()),
            unread: 2,
            last: preview("bob", "see you at eight", NOON),
            ..direct("!bob:example.org", "bob")
        },
        Chat {
            id: "!garden:example.org".to_owned(),
            name: "A garden with a very long name that goes on and on".to_owned(),
            topic: Some("what grows".to_owned()),
            members: 12,
            unread: 1203,
            mentions: 1,
            last: preview(
                "日本語の名前",
                "こんにちは、世界。元気ですか。",
                NOON - 26 * 60 * MINUTE,
            ),
            ..Chat::default()
        },
        Chat {
            peer: Some("@carol:example.org".to_owned()),
            last: Some(Preview {
                own: true,
                ticks: Some(Ticks::Read),
                ..preview("alice", "👩‍👩‍👧 thanks!", NOON - 20 * 24 * 60 * MINUTE).unwrap()
            }),
            ..direct("!rtl:example.org", "שלום עולם")
        },
        Chat {
            invited_by: Some("@bob:example.org".to_owned()),
            members: 3,
            ..direct("!invited:example.org", "Walks")
        },
    ]
}

pub(crate) fn message(key: &str, own: bool, text: &str, at_ms: u64) -> Message {
    let (sender, sender_name) =
        if own { ("@alice:example.org", "alice") } else { ("@bob:example.org", "bob") };
    Message {
        key: key.to_owned(),
        at_ms,
        sender: sender.to_owned(),
        sender_name: sender_name.to_owned(),
        own,
        body: Body::Text { text: text.to_owned(), html: None },
        edited: false,
        reply: None,
        reactions: Vec::new(),
        ticks: own.then_some(Ticks::Sent),
        read_by: Vec::new(),
        warning: None,
        relations: Relations::default(),
    }
}

pub(crate) fn messages() -> Vec<Message> {
    let day = 24 * 60 * MINUTE;
    vec![
        Message {
            body: Body::Service("bob joined".to_owned()),
            ..message("0", false, "", NOON - day)
        },
        message("1", false, "hello alice", NOON - day),
        message(
            "2",
            false,
            "a longer message that has to be broken into several rows because it does not fit",
            NOON - day + MINUTE,
        ),
        Message {
            ticks: Some(Ticks::Read),
            ..message(
                "3",
                true,
                "日本語のメッセージ、とても長いので折り返します。それでも幅は正しい。",
                NOON - 30 * MINUTE,
            )
        },
        Message {
            reply: Some(("alice".to_owned(), "日本語のメッセージ".to_owned())),
            reactions: vec![("👍".to_owned(), 2, true), ("❤️".to_owned(), 1, false)],
            ..message("4", false, "👩‍👩‍👧 yes", NOON - 20 * MINUTE)
        },
        Message {
            body: Body::Undecryptable {
                reason: "its key has not arrived; u asks again".to_owned(),
            },
            ..message("5", false, "", NOON - 19 * MINUTE)
        },
        Message { edited: true, ..message("6", true, "at seven", NOON - 2 * MINUTE) },
        message("7", false, "see you at eight", NOON),
    ]
}
