//! What happens to messages that the server does not take, or cannot be asked to.

use crate::{
    encryption::{says, two_in_a_chat},
    on_every_server,
    person::Person,
    server::Server,
};
use tern_tui::backend::{Report, Request, Ticks};

on_every_server! {
    a_refused_message_stops_no_other => super::refused;
    a_message_written_while_the_server_is_down_goes_out_when_it_is_back => super::interrupted;
    what_comes_after_a_restart_of_the_server_stands_below_what_was_there => super::started_again;
}

/// No event may be larger than 65,536 bytes.
async fn refused(server: Server) {
    let (mut alice, mut bob, chat) = two_in_a_chat(&server).await;
    alice.expects_failures = true;
    let long = "x".repeat(70_000);
    alice.say(&chat, &long);
    let reason = alice
        .until("the refusal", |report| match report {
            Report::Failed { reason } => Some(reason.clone()),
            _ => None,
        })
        .await;
    assert!(reason.starts_with("A message was not sent. "), "{reason}");
    let lost = alice
        .message(&chat, "the refused message", |message| {
            says(message, &long) && message.ticks == Some(Ticks::Failed)
        })
        .await;

    alice.say(&chat, "a short one");
    bob.message(&chat, "the next message", |message| says(message, "a short one")).await;

    // Tried again it is refused again, and again the next one arrives.
    alice.ask(Request::Retry { chat: chat.clone(), message: lost.key });
    alice
        .until("the second refusal", |report| match report {
            Report::Failed { .. } => Some(()),
            _ => None,
        })
        .await;
    alice.say(&chat, "another short one");
    bob.message(&chat, "the one after", |message| says(message, "another short one")).await;
}

async fn interrupted(server: Server) {
    let (mut alice, mut bob, chat) = two_in_a_chat(&server).await;
    let stopped = server.stop_keeping_files().await;
    alice.say(&chat, "into the dark");
    let waiting =
        alice.message(&chat, "the waiting message", |message| says(message, "into the dark")).await;
    assert_eq!(waiting.ticks, Some(Ticks::Sending));
    let _server = stopped.start_again().await;
    alice
        .message(&chat, "the message sent", |message| {
            says(message, "into the dark")
                && matches!(message.ticks, Some(Ticks::Sent | Ticks::Read))
        })
        .await;
    bob.message(&chat, "alice's message", |message| says(message, "into the dark")).await;
}

/// A server may have forgotten where a client was in the sync. What it then says of the open chat is more than its last message,
/// or everything before that would be gone from the screen until it is loaded again.
async fn started_again(server: Server) {
    let (mut alice, mut bob, chat) = two_in_a_chat(&server).await;
    bob.say(&chat, "before");
    alice.message(&chat, "the first message", |message| says(message, "before")).await;
    let dir = alice.dir.clone();
    alice.leave().await;
    bob.say(&chat, "after");
    bob.message(&chat, "the second message sent", |message| {
        says(message, "after") && message.ticks == Some(Ticks::Sent)
    })
    .await;
    let stopped = server.stop_keeping_files().await;

    let mut alice = Person::new("alice", dir);
    alice.chat("her chat", |known| known.id == chat).await;
    alice.ask(Request::OpenChat { chat: chat.clone() });
    alice.message(&chat, "what she had", |message| says(message, "before")).await;
    let _server = stopped.start_again().await;
    alice
        .state("both messages", |me| {
            let shown = me.messages.get(&chat)?;
            let before = shown.iter().position(|message| says(message, "before"))?;
            let after = shown.iter().position(|message| says(message, "after"))?;
            (before < after).then_some(())
        })
        .await;
}
