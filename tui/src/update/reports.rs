//! What the backend says, taken into the state. Every text is cleaned here, before anything else sees it.

use super::{chats, complain, encryption, history_size, notice, popups, save_soon, welcome};
use crate::backend::{
    Body, Chat, ChatId, Connection, Encryption, Message, Profile, Recovery, Report, ServerInfo,
    Verification,
};
use crate::effect::{Effect, Timer};
use crate::sanitize::{clean, line};
use crate::state::form::{FieldName, FormKind};
use crate::state::welcome::Welcome;
use crate::state::{Me, Pane, Popup, State};

pub(super) fn take(state: &mut State, report: Report) -> Vec<Effect> {
    match report {
        Report::ServerFound(_)
        | Report::ServerNotFound { .. }
        | Report::UsernameChecked { .. }
        | Report::RegistrationStep(_)
        | Report::RegistrationTerms { .. }
        | Report::PasswordResetStep(_)
        | Report::AuthFailed { .. }
        | Report::AccountMade { .. } => take_entrance(state, report),
        Report::LoggedIn { user, server, device } => {
            logged_in(state, Me { user: line(&user), server: line(&server), device: line(&device) })
        }
        Report::LoggedOut { soft, reason } => logged_out(state, soft, reason),
        Report::CantOpen { reason } => cant_open(state, &line(&reason)),
        Report::Connection(connection) => {
            state.connection = Some(connection);
            if let Some(open) = state.open.as_mut().filter(|_| connection == Connection::Online) {
                open.older_failed = false;
            }
            Vec::new()
        }
        Report::Chats(chats) => take_chats(state, chats),
        Report::Timeline { chat, messages } => take_messages(state, &chat, messages),
        Report::HistoryEnd { chat } => {
            if let Some(open) = state.open.as_mut().filter(|open| open.chat == chat) {
                open.at_start = true;
            }
            Vec::new()
        }
        Report::OlderLoaded { chat, failed } => {
            if let Some(open) = state.open.as_mut().filter(|open| open.chat == chat) {
                open.loading_older = false;
                open.older_failed = failed;
            }
            Vec::new()
        }
        Report::Typing { chat, names } => {
            if let Some(open) = state.open.as_mut().filter(|open| open.chat == chat) {
                open.typing = names.iter().map(|name| line(name)).collect();
            }
            Vec::new()
        }
        Report::ChatReady { chat } => {
            state.notice = None;
            let mut effects = vec![Effect::Stop(Timer::NoticeGoes)];
            if std::mem::take(&mut state.awaited_chat) {
                effects.extend(chats::open_ready(state, &chat));
            }
            effects
        }
        Report::Profile(profile) => take_profile(state, profile),
        Report::Encryption(encryption) => take_encryption(state, encryption),
        Report::RecoveryKey(key) => {
            popups::close_forms(state, |kind| *kind == FormKind::OfferRecovery);
            encryption::show_recovery_key(state, crate::backend::Secret(line(&key.0)));
            state.notice = None;
            vec![Effect::Stop(Timer::NoticeGoes)]
        }
        Report::RecoveryFailed { reason } => recovery_failed(state, &line(&reason)),
        Report::Verification(verification) => {
            encryption::show_verification(state, &clean_verification(verification))
        }
        Report::Failed { reason } => {
            state.awaited_chat = false;
            let reason = line(&reason);
            encryption::set_up_failed(state, &reason);
            complain(state, reason)
        }
        Report::Notice { text } => notice(state, line(&text)),
    }
}

fn take_entrance(state: &mut State, report: Report) -> Vec<Effect> {
    let Some(entrance) = &mut state.welcome else { return Vec::new() };
    match report {
        Report::ServerFound(server) => {
            let server = ServerInfo { name: line(&server.name), url: line(&server.url), ..server };
            welcome::server_found(entrance, server);
        }
        Report::ServerNotFound { reason } => welcome::server_not_found(entrance, &line(&reason)),
        Report::UsernameChecked { username, problem } => {
            welcome::username_checked(entrance, &username, problem.map(|problem| line(&problem)));
        }
        Report::RegistrationStep(step) => welcome::registration_step(entrance, clean_step(step)),
        Report::RegistrationTerms { links } => {
            let links: Vec<String> = links.iter().map(|link| line(link)).collect();
            welcome::terms_asked(entrance, &links);
        }
        Report::PasswordResetStep(step) => welcome::reset_step(entrance, clean_step(step)),
        Report::AuthFailed { reason, about } => welcome::refused(entrance, &line(&reason), about),
        Report::AccountMade { user, reason } => {
            welcome::account_made(entrance, line(&user), line(&reason));
        }
        _ => {}
    }
    welcome::wait_for_link(entrance)
}

fn clean_step(step: crate::backend::MailStep) -> crate::backend::MailStep {
    use crate::backend::MailStep;
    match step {
        MailStep::MailSent { email, code } => MailStep::MailSent { email: line(&email), code },
        MailStep::WrongCode { reason } => MailStep::WrongCode { reason: line(&reason) },
        step => step,
    }
}

fn logged_in(state: &mut State, me: Me) -> Vec<Effect> {
    let entrance = state.welcome.take();
    state.fresh_login = entrance.is_some_and(|entrance| entrance.form.kind != FormKind::CantOpen);
    if state.me.as_ref().is_some_and(|before| before.user != me.user) {
        state.chats.clear();
        state.drafts.clear();
        state.open = None;
        state.pane = Pane::List;
    }
    state.me = Some(me);
    // The snapshot's chat is on the screen already; its messages are the backend's to tell.
    let open = state.open.as_ref().map(|open| open.chat.clone());
    let mut effects = save_soon(state);
    effects.extend(open.map(|chat| Effect::Request(crate::backend::Request::OpenChat { chat })));
    effects
}

/// What is on the screen stays below the question.
fn cant_open(state: &mut State, reason: &str) -> Vec<Effect> {
    let server = state.me.as_ref().map_or("", |me| &me.server);
    let mut entrance = Welcome::new(server);
    entrance.form = crate::state::welcome::cant_open(reason);
    state.popups.clear();
    state.welcome = Some(entrance);
    Vec::new()
}

fn logged_out(state: &mut State, soft: bool, reason: Option<String>) -> Vec<Effect> {
    if soft && let Some(me) = state.me.clone() {
        // Chats and drafts are kept for the login of the same person.
        let mut entrance = state.welcome.take().unwrap_or_else(|| Welcome::new(&me.user));
        entrance.form.error = reason.map(|reason| line(&reason));
        state.popups.clear();
        state.leader = false;
        state.welcome = Some(entrance);
        return vec![Effect::SaveSnapshot];
    }
    let server = state.me.as_ref().map(|me| me.server.clone()).unwrap_or_default();
    let kept = State {
        size: state.size,
        zone: state.zone,
        now_ms: state.now_ms,
        unfocused: state.unfocused,
        title: state.title.clone(),
        wanted: state.wanted.clone(),
        ..State::default()
    };
    let mut entrance = match state.welcome.take() {
        Some(entrance) => entrance,
        None => Welcome::new(&server),
    };
    entrance.form.error = reason.map(|reason| line(&reason));
    *state = State { welcome: Some(entrance), ..kept };
    vec![Effect::Stop(Timer::SaveSnapshot), Effect::ForgetSnapshot]
}

/// The order of the list: invitations, pinned, then as the backend has them (newest first).
pub(super) fn ordered(mut chats: Vec<Chat>) -> Vec<Chat> {
    chats.sort_by_key(|chat| (chat.invited_by.is_none(), !chat.pinned));
    chats
}

pub(super) fn clean_chat(mut chat: Chat) -> Chat {
    chat.name = line(&chat.name);
    chat.topic = chat.topic.map(|topic| line(&topic));
    chat.invited_by = chat.invited_by.map(|inviter| line(&inviter));
    chat.inviter = chat.inviter.map(|inviter| line(&inviter));
    chat.peer = chat.peer.map(|peer| line(&peer));
    if let Some(last) = &mut chat.last {
        last.sender = line(&last.sender);
        last.text = line(&last.text);
    }
    chat
}

/// The chat that `--open` asked for, once it is in the list.
fn wanted_chat(state: &State) -> Option<ChatId> {
    let wanted = state.wanted.as_ref()?;
    let is_it = |chat: &&Chat| {
        chat.id == *wanted || chat.name == *wanted || chat.peer.as_ref() == Some(wanted)
    };
    state.chats.iter().find(is_it).map(|chat| chat.id.clone())
}

fn take_chats(state: &mut State, chats: Vec<Chat>) -> Vec<Effect> {
    state.chats = ordered(chats.into_iter().map(clean_chat).collect());
    if state.index_of_selected().is_none() {
        state.selected = state.chats.first().map(|chat| chat.id.clone());
    }
    let mut effects = save_soon(state);
    if let Some(chat) = wanted_chat(state) {
        state.wanted = None;
        effects.extend(chats::open(state, &chat));
    }
    effects
}

pub(super) fn clean_message(mut message: Message) -> Message {
    message.sender = line(&message.sender);
    message.sender_name = line(&message.sender_name);
    message.reply = message.reply.map(|(name, text)| (line(&name), line(&text)));
    message.warning = message.warning.map(|warning| line(&warning));
    for (reaction, _, _) in &mut message.reactions {
        *reaction = line(reaction);
    }
    for name in &mut message.read_by {
        *name = line(name);
    }
    message.body = match message.body {
        Body::Text { text, html } => {
            Body::Text { text: clean(&text), html: html.map(|html| clean(&html)) }
        }
        Body::Emote(text) => Body::Emote(clean(&text)),
        Body::Notice(text) => Body::Notice(clean(&text)),
        Body::File { kind, name, bytes, caption } => Body::File {
            kind,
            name: line(&name),
            bytes,
            caption: caption.map(|caption| clean(&caption)),
        },
        Body::Deleted => Body::Deleted,
        Body::Undecryptable { reason } => Body::Undecryptable { reason: line(&reason) },
        Body::Service(text) => Body::Service(line(&text)),
    };
    message
}

fn take_messages(state: &mut State, chat: &str, messages: Vec<Message>) -> Vec<Effect> {
    if !state.is_open(chat) {
        return Vec::new();
    }
    let (width, _) = history_size(state);
    let zone = state.zone;
    if let Some(open) = &mut state.open {
        open.live = true;
        open.replace(messages.into_iter().map(clean_message).collect(), width, zone);
    }
    save_soon(state)
}

fn take_profile(state: &mut State, profile: Profile) -> Vec<Effect> {
    let profile = Profile {
        user: line(&profile.user),
        display_name: profile.display_name.map(|name| line(&name)),
        bio: profile.bio.map(|bio| clean(&bio)),
        avatar: profile.avatar.map(|avatar| line(&avatar)),
        verified: profile.verified,
    };
    let own = state.me.as_ref().is_some_and(|me| me.user == profile.user);
    let form = state.popups.iter_mut().find_map(|popup| match popup {
        Popup::Form(form) => match &form.kind {
            FormKind::Profile { user: None, .. } if own => Some(form),
            FormKind::Profile { user: Some(user), .. } if *user == profile.user => Some(form),
            _ => None,
        },
        _ => None,
    });
    if let Some(form) = form {
        *form = popups::profile_form(&profile, own);
    }
    Vec::new()
}

fn take_encryption(state: &mut State, encryption: Encryption) -> Vec<Effect> {
    let recovery = encryption.recovery;
    if encryption.verified {
        popups::close_forms(state, |kind| *kind == FormKind::OfferVerification);
    }
    state.encryption = Some(encryption);
    if recovery == Recovery::Enabled {
        // An offer that was taken waits for its key.
        state.popups.retain(|popup| match popup {
            Popup::Form(form) if form.kind == FormKind::OfferRecovery => form.busy.is_some(),
            Popup::Form(form) => form.kind != FormKind::Recover,
            _ => true,
        });
    }
    if !state.fresh_login || recovery == Recovery::Unknown {
        return Vec::new();
    }
    state.fresh_login = false;
    match recovery {
        Recovery::Disabled => encryption::offer_recovery(state),
        Recovery::Elsewhere => encryption::offer_verification(state),
        Recovery::Incomplete => encryption::ask_for_recovery_key(state),
        Recovery::Unknown | Recovery::Enabled => {}
    }
    Vec::new()
}

fn recovery_failed(state: &mut State, reason: &str) -> Vec<Effect> {
    match state.form_mut().filter(|form| form.kind == FormKind::Recover) {
        Some(form) => {
            form.refuse(FieldName::Key, reason);
            Vec::new()
        }
        None => complain(state, reason),
    }
}

fn clean_verification(verification: Verification) -> Verification {
    match verification {
        Verification::Requested { by, own } => Verification::Requested { by: line(&by), own },
        Verification::Emoji(emoji) => {
            Verification::Emoji(emoji.iter().map(|(sign, name)| (line(sign), line(name))).collect())
        }
        Verification::Cancelled { reason } => Verification::Cancelled { reason: line(&reason) },
        verification => verification,
    }
}
