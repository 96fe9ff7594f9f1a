//! Recovery, emoji verification and coming back offline, against real servers.

use crate::{on_every_server, person::Person, server::Server};
use tern_tui::backend::{
    Body, Connection, Manage, Message, Recovery, Report, Request, Secret, Verification,
};

pub(crate) fn says(message: &Message, text: &str) -> bool {
    matches!(&message.body, Body::Text { text: body, .. } if body == text)
}

on_every_server! {
    a_recovery_key_opens_the_history_on_a_new_session => super::recovery;
    emoji_verify_ones_own_sessions_and_other_people => super::emoji;
    a_second_device_without_a_recovery_key_verifies_by_emoji_and_leaves_the_backup => super::elsewhere;
    a_restart_without_the_server_shows_the_history_and_sends_later => super::restart;
}

/// Alice and bob in an encrypted chat with one message of each.
pub(crate) async fn two_in_a_chat(server: &Server) -> (Person, Person, String) {
    let mut alice = Person::register("alice", &server.url, server.folder("alice")).await;
    let mut bob = Person::register("bob", &server.url, server.folder("bob")).await;
    alice.ask(Request::NewDirectChat { user: "@bob:example.org".to_owned(), encrypted: true });
    let chat = alice.chat_ready().await;
    bob.chat("the invitation", |known| known.id == chat).await;
    bob.ask(Request::Join { chat: chat.clone() });
    bob.chat_ready().await;
    alice.ask(Request::OpenChat { chat: chat.clone() });
    bob.ask(Request::OpenChat { chat: chat.clone() });
    alice.say(&chat, "from alice");
    bob.message(&chat, "alice's message", |message| says(message, "from alice")).await;
    bob.say(&chat, "from bob");
    alice.message(&chat, "bob's message", |message| says(message, "from bob")).await;
    (alice, bob, chat)
}

async fn verification(
    person: &mut Person,
    what: &str,
    wanted: impl Fn(&Verification) -> bool,
) -> Verification {
    person
        .until(what, |report| match report {
            Report::Verification(state) if wanted(state) => Some(state.clone()),
            Report::Verification(Verification::Cancelled { reason }) => {
                panic!("cancelled: {reason}")
            }
            _ => None,
        })
        .await
}

/// Walks both sides from the request to the end; `asker` has asked already.
async fn compare_emoji(asker: &mut Person, asked: &mut Person) {
    let heard = |report: &Report| match report {
        Report::Verification(Verification::Requested { .. }) => Some(true),
        Report::Notice { text } if text.contains("too early") => Some(false),
        _ => None,
    };
    while !asked.until("the request", heard).await {
        asker.ask(Request::StartVerification { user: None });
    }
    asked.ask(Request::AcceptVerification);
    let theirs =
        verification(asker, "the emoji", |state| matches!(state, Verification::Emoji(_))).await;
    let ours =
        verification(asked, "the emoji", |state| matches!(state, Verification::Emoji(_))).await;
    assert_eq!(theirs, ours);
    let Verification::Emoji(emoji) = ours else { unreachable!("asked for emoji") };
    assert_eq!(emoji.len(), 7);
    asker.ask(Request::ConfirmVerification);
    asked.ask(Request::ConfirmVerification);
    verification(asker, "the end", |state| *state == Verification::Done).await;
    verification(asked, "the end", |state| *state == Verification::Done).await;
}

async fn recovery(server: Server) {
    let (mut alice, _bob, chat) = two_in_a_chat(&server).await;
    alice.state("being verified", |me| me.encryption.as_ref()?.verified.then_some(())).await;
    alice.ask(Request::EnableRecovery);
    let key = alice
        .until("the recovery key", |report| match report {
            Report::RecoveryKey(key) => Some(key.clone()),
            _ => None,
        })
        .await;
    alice
        .state("recovery enabled", |me| {
            (me.encryption.as_ref()?.recovery == Recovery::Enabled).then_some(())
        })
        .await;

    let mut second = Person::log_in("alice", &server.url, server.folder("second")).await;
    second
        .state("the question for the key", |me| {
            (me.encryption.as_ref()?.recovery == Recovery::Incomplete).then_some(())
        })
        .await;
    second.chat("the chat", |known| known.id == chat).await;
    second.ask(Request::OpenChat { chat: chat.clone() });
    let locked = second
        .message(&chat, "a locked message", |message| {
            matches!(message.body, Body::Undecryptable { .. })
        })
        .await;
    assert!(
        matches!(&locked.body, Body::Undecryptable { reason } if reason.contains("recovery key")),
        "{locked:?}"
    );
    second.ask(Request::Recover { key: Secret("not the key".to_owned()) });
    let refused = second.until("the refusal", |report| match report {
        Report::RecoveryFailed { reason } => Some(reason.clone()),
        _ => None,
    });
    assert!(refused.await.contains("not the recovery key"));
    // Starting over with a wrong password does not take the key away.
    second.expects_failures = true;
    let password = Secret("not the password".to_owned());
    second.ask(Request::Manage(Manage::ResetIdentity { password }));
    let refused = second.until("the refusal", |report| match report {
        Report::Failed { reason } => Some(reason.clone()),
        _ => None,
    });
    assert_eq!(refused.await, "Nothing was changed. That is not your password. Try again.");
    second.expects_failures = false;
    second.ask(Request::Recover { key });
    second.state("being verified", |me| me.encryption.as_ref()?.verified.then_some(())).await;
    second.message(&chat, "the history opened", |message| says(message, "from alice")).await;
    second.message(&chat, "the history opened", |message| says(message, "from bob")).await;
}

async fn emoji(server: Server) {
    let (mut alice, mut bob, _chat) = two_in_a_chat(&server).await;
    let mut second = Person::log_in("alice", &server.url, server.folder("second")).await;
    second.ask(Request::StartVerification { user: None });
    compare_emoji(&mut second, &mut alice).await;
    second.state("being verified", |me| me.encryption.as_ref()?.verified.then_some(())).await;

    bob.ask(Request::StartVerification { user: Some("@alice:example.org".to_owned()) });
    compare_emoji(&mut bob, &mut alice).await;
    bob.ask(Request::FetchProfile { user: Some("@alice:example.org".to_owned()) });
    let verified = bob.until("alice's profile", |report| match report {
        Report::Profile(profile) => Some(profile.verified),
        _ => None,
    });
    assert!(verified.await);

    bob.ask(Request::StartVerification { user: Some("@alice:example.org".to_owned()) });
    verification(&mut alice, "another request", |state| {
        matches!(state, Verification::Requested { .. })
    })
    .await;
    alice.ask(Request::CancelVerification);
    let told = bob.until("the cancellation", |report| match report {
        Report::Verification(Verification::Cancelled { reason }) => Some(reason.clone()),
        _ => None,
    });
    assert!(!told.await.is_empty());
}

async fn restart(server: Server) {
    let (mut alice, bob, chat) = two_in_a_chat(&server).await;
    let dir = alice.dir.clone();
    let before = alice.message(&chat, "bob's message", |message| says(message, "from bob")).await;
    let keep = server.stop_keeping_files().await;
    alice.leave().await;
    bob.leave().await;

    let mut again = Person::new("alice", dir);
    assert_eq!(
        again
            .until("being logged in", |report| match report {
                Report::LoggedIn { user, .. } => Some(user.clone()),
                _ => None,
            })
            .await,
        "@alice:example.org"
    );
    again
        .state("being offline", |me| (me.connection == Some(Connection::Offline)).then_some(()))
        .await;
    again.chat("the chat from disk", |known| known.id == chat && known.last.is_some()).await;
    again.ask(Request::OpenChat { chat: chat.clone() });
    let after =
        again.message(&chat, "the history from disk", |message| says(message, "from bob")).await;
    assert_ne!(after.key, before.key, "a key from before the restart names nothing now");
    let now = again.messages.get(&chat).into_iter().flatten();
    assert!(now.into_iter().all(|message| message.key != before.key));
    again.say(&chat, "written offline");
    again.message(&chat, "the waiting message", |message| says(message, "written offline")).await;
    let _server = keep.start_again().await;
    again.online().await;
    again
        .message(&chat, "the message sent", |message| {
            says(message, "written offline")
                && message.ticks == Some(tern_tui::backend::Ticks::Sent)
        })
        .await;
}

/// Alice has put the recovery key off; her second device must not replace what the first one backs up to.
async fn elsewhere(server: Server) {
    let mut alice = Person::register("alice", &server.url, server.folder("alice")).await;
    alice.state("being verified", |me| me.encryption.as_ref()?.verified.then_some(())).await;
    let mut second = Person::log_in("alice", &server.url, server.folder("second")).await;
    second
        .state("the other device's keys", |me| {
            (me.encryption.as_ref()?.recovery == Recovery::Elsewhere).then_some(())
        })
        .await;
    second.expects_failures = true;
    second.ask(Request::EnableRecovery);
    let reason = second
        .until("the refusal", |report| match report {
            Report::Failed { reason } => Some(reason.clone()),
            Report::RecoveryKey(_) => panic!("the first device's backup was replaced"),
            _ => None,
        })
        .await;
    assert!(reason.contains("Verify this one with it by emoji"), "{reason}");
    second.expects_failures = false;
    second.ask(Request::StartVerification { user: None });
    compare_emoji(&mut second, &mut alice).await;
    second.state("being verified", |me| me.encryption.as_ref()?.verified.then_some(())).await;
    second.ask(Request::EnableRecovery);
    second
        .until("the recovery key", |report| match report {
            Report::RecoveryKey(key) => Some(key.clone()),
            _ => None,
        })
        .await;
}
