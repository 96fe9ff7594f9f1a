//! What the backend says, taken into the state. Every text is cleaned here, before anything else sees it.

use super::{
    accounts, chats, complain, encryption, history_size, jumps, link_previews, lists, news, notice,
    pictures, popups, save_soon, transfers, undo, welcome, written,
};
use crate::backend::{
    AccountId, Body, Chat, ChatId, ChatKind, Connection, Encryption, Message, Profile, Recovery,
    Report, ServerInfo, Verification, account_of, split,
};
use crate::effect::{Effect, Timer};
use crate::sanitize::{clean, line};
use crate::state::completion::{People, Person};
use crate::state::form::{FieldName, Form, FormKind};
use crate::state::layout::Sheet;
use crate::state::{Popup, State};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) fn take(state: &mut State, account: AccountId, report: Report) -> Vec<Effect> {
    if !accounts::hears(state, account, &report) {
        return Vec::new();
    }
    match report {
        Report::ServerFound(_)
        | Report::ServerNotFound { .. }
        | Report::UsernameChecked { .. }
        | Report::RegistrationStep(_)
        | Report::RegistrationTerms { .. }
        | Report::PasswordResetStep(_)
        | Report::AuthFailed { .. }
        | Report::AccountMade { .. } => take_entrance(state, account, report),
        Report::SsoStarted { url } => welcome::sso_started(state, account, line(&url)),
        Report::LoggedIn { .. } | Report::LoggedOut { .. } | Report::CantOpen { .. } => {
            accounts::take(state, account, report)
        }
        Report::Connection(connection) => take_connection(state, account, connection),
        Report::Chats(chats) => take_chats(state, account, chats),
        Report::Timeline { chat, messages } => take_messages(state, &chat, messages),
        Report::View { .. }
        | Report::ViewFailed { .. }
        | Report::NewerLoaded { .. }
        | Report::Hits { .. }
        | Report::JumpTo { .. } => jumps::take(state, report),
        Report::ChatReady { chat } => chat_ready(state, account, &chat),
        Report::Profile(profile) => take_profile(state, account, profile),
        Report::Rows { of, items } => lists::take(state, account, &of, items),
        Report::Presence { user, presence } => super::presence::take(state, &user, presence),
        Report::Encryption(encryption) => take_encryption(state, account, encryption),
        Report::RecoveryKey(key) => {
            popups::close_forms(state, account, |kind| *kind == FormKind::OfferRecovery);
            encryption::show_recovery_key(state, crate::backend::Secret(line(&key.0)));
            state.notice = None;
            vec![Effect::Stop(Timer::NoticeGoes)]
        }
        Report::RecoveryFailed { reason } => recovery_failed(state, account, &line(&reason)),
        Report::Verification(verification) => {
            encryption::show_verification(state, account, &clean_verification(verification))
        }
        Report::Failed { reason } => failed(state, account, line(&reason)),
        Report::Notice { text } => {
            let words = from_behind(state, account, line(&text));
            notice(state, words)
        }
        Report::Transfer { .. }
        | Report::TransferEnded { .. }
        | Report::Picture { .. }
        | Report::Avatar { .. }
        | Report::Link { .. }
        | Report::People { .. }
        | Report::Queued { .. }
        | Report::NotQueued { .. }
        | Report::HistoryEnd { .. }
        | Report::OlderLoaded { .. }
        | Report::KeysChanged { .. }
        | Report::Typing { .. } => take_in_chat(state, report),
    }
}

fn take_connection(state: &mut State, account: AccountId, connection: Connection) -> Vec<Effect> {
    if let Some(of) = state.accounts.get_mut(&account) {
        of.connection = Some(connection);
    }
    let open = state.open.as_mut().filter(|open| account_of(&open.chat) == account);
    if let Some(open) = open.filter(|_| connection == Connection::Online) {
        open.older_failed = false;
    }
    Vec::new()
}

fn chat_ready(state: &mut State, account: AccountId, chat: &str) -> Vec<Effect> {
    state.notice = None;
    let mut effects = vec![Effect::Stop(Timer::NoticeGoes)];
    if state.awaited_chat.take_if(|awaits| *awaits == account).is_some() {
        effects.extend(chats::open_ready(state, chat));
    }
    effects
}

fn failed(state: &mut State, account: AccountId, reason: String) -> Vec<Effect> {
    state.awaited_chat.take_if(|awaits| *awaits == account);
    undo::give_up(state, account);
    lists::failed(state, account);
    encryption::set_up_failed(state, account, &reason);
    let words = from_behind(state, account, reason);
    complain(state, words)
}

/// `text`, with whose it is where that account is not in front.
fn from_behind(state: &State, account: AccountId, text: String) -> String {
    match state.mark(account).filter(|_| account != state.front()) {
        Some(mark) => format!("{mark}: {text}"),
        None => text,
    }
}

/// What concerns one chat or one of its files: the reports that [`take`] names for it.
fn take_in_chat(state: &mut State, report: Report) -> Vec<Effect> {
    match report {
        Report::Transfer { id, done, total } => {
            transfers::progress(state, id, done, total);
            Vec::new()
        }
        Report::TransferEnded { id, end } => transfers::ended(state, id, end),
        Report::Picture { chat, message, picture } => {
            pictures::take(state, &chat, &message, picture)
        }
        Report::Avatar { avatar, picture } => pictures::take_avatar(state, &avatar, picture),
        Report::Link { url, preview } => link_previews::take(state, &url, preview),
        Report::People { chat, people } => {
            let people =
                people.iter().map(|(user, name)| Person { user: line(user), name: line(name) });
            state.people = People { chat, people: people.collect() };
            state.people_asked = None;
            Vec::new()
        }
        Report::Queued { chat, text } => {
            written::queued(state, &chat, &text);
            vec![Effect::SaveWritten]
        }
        Report::NotQueued { chat, text, reason } => {
            written::not_queued(state, &chat, &text, line(&reason))
        }
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
        Report::KeysChanged { chat, names } => {
            if let Some(open) = state.open.as_mut().filter(|open| open.chat == chat) {
                open.changed_keys = names.iter().map(|name| line(name)).collect();
            }
            Vec::new()
        }
        Report::Typing { chat, names } => {
            if let Some(open) = state.open.as_mut().filter(|open| open.chat == chat) {
                open.typing = names.iter().map(|name| line(name)).collect();
            }
            Vec::new()
        }
        _ => Vec::new(),
    }
}

fn take_entrance(state: &mut State, account: AccountId, report: Report) -> Vec<Effect> {
    let Some(entrance) = accounts::entrance_of(state, account) else { return Vec::new() };
    match report {
        Report::ServerFound(server) => {
            let sso = welcome::clean_sso(server.sso);
            let server =
                ServerInfo { name: line(&server.name), url: line(&server.url), sso, ..server };
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

/// The order of the list: invitations, pinned, then newest first. Each account's chats stay in the order its backend has them in.
pub(super) fn ordered(mut chats: Vec<Arc<Chat>>) -> Vec<Arc<Chat>> {
    let part = |chat: &Chat| (chat.invited_by.is_none(), !chat.pinned || chat.archived);
    chats.sort_by_key(|chat| part(chat));
    let mut newest: BTreeMap<(AccountId, bool, bool), u64> = BTreeMap::new();
    let mut placed: Vec<_> = chats
        .into_iter()
        .map(|chat| {
            let (account, (known, unpinned)) = (account_of(&chat.id), part(&chat));
            // No newer than what stands before it, so that nothing overtakes within an account.
            let at_ms = newest.entry((account, known, unpinned)).or_insert(u64::MAX);
            *at_ms = chat.last.as_ref().map_or(*at_ms, |last| last.at_ms.min(*at_ms));
            let pins = (known && !unpinned).then_some(account);
            ((known, unpinned, pins, Reverse(*at_ms)), chat)
        })
        .collect();
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, chat)| chat).collect()
}

pub(super) fn clean_chat(mut chat: Chat) -> Chat {
    chat.name = line(&chat.name);
    chat.topic = chat.topic.map(|topic| line(&topic));
    chat.alias = chat.alias.map(|alias| line(&alias));
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
        [&chat.id, split(&chat.id).1, &chat.name].contains(&wanted.as_str())
            || chat.peer.as_ref() == Some(wanted)
    };
    state.chats.iter().map(AsRef::as_ref).find(is_it).map(|chat| chat.id.clone())
}

/// The open chat, if it is a space: it has no messages to show.
fn open_space(state: &State) -> Option<ChatId> {
    let open = state.open.as_ref().and_then(|open| state.find_chat(&open.chat))?;
    (open.kind == ChatKind::Space).then(|| open.id.clone())
}

fn take_chats(state: &mut State, account: AccountId, chats: Vec<Arc<Chat>>) -> Vec<Effect> {
    let mut all = std::mem::take(&mut state.chats);
    all.retain(|chat| account_of(&chat.id) != account);
    let taken = state.taken.entry(account).or_default();
    all.extend(taken.take(chats, |chat| clean_chat(chat.clone())));
    state.chats = ordered(all);
    if state.index_of_selected().is_none() {
        state.selected = state.listed().first().map(|chat| chat.id.clone());
    }
    let mut effects = save_soon(state);
    effects.extend(news::tell(state, account));
    if let Some(space) = open_space(state) {
        // Opened before it was known to be one.
        chats::close(state);
        effects.extend(chats::open(state, &space));
    }
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
        Body::File { kind, name, bytes, caption, pixels, blurhash } => Body::File {
            kind,
            name: line(&name),
            bytes,
            caption: caption.map(|caption| clean(&caption)),
            pixels,
            blurhash,
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
    let (width, height) = history_size(state);
    let State { open, links, zone, .. } = state;
    if let Some(open) = open {
        open.live = true;
        let mut sheet = Sheet { width, zone: *zone, links };
        open.take_newest(messages.into_iter().map(clean_message).collect(), &mut sheet, height);
    }
    save_soon(state)
}

fn take_profile(state: &mut State, account: AccountId, profile: Profile) -> Vec<Effect> {
    let profile = Profile {
        user: line(&profile.user),
        display_name: profile.display_name.map(|name| line(&name)),
        bio: profile.bio.map(|bio| clean(&bio)),
        avatar: profile.avatar.map(|avatar| line(&avatar)),
        shared: profile.shared.iter().map(|name| line(name)).collect(),
        presence: profile.presence.map(super::presence::clean),
        ..profile
    };
    let own = state.me(account).is_some_and(|me| me.user == profile.user);
    let shown = popups::profile_form(state, account, &profile, own);
    let form = state.popups.iter_mut().find_map(|popup| match popup {
        Popup::Form(form) if form.account == Some(account) => match &form.kind {
            FormKind::Profile { user: None, .. } if own => Some(form),
            FormKind::Profile { user: Some(user), .. } if *user == profile.user => Some(form),
            _ => None,
        },
        _ => None,
    });
    if let Some(form) = form {
        let kept = match &form.kind {
            FormKind::Profile { shown: Some(old), .. } if old.avatar == profile.avatar => {
                form.picture.take()
            }
            _ => None,
        };
        *form = Form { picture: kept, ..shown };
    }
    pictures::want_avatar(state, profile.avatar.as_deref())
}

fn take_encryption(state: &mut State, account: AccountId, encryption: Encryption) -> Vec<Effect> {
    let recovery = encryption.recovery;
    if encryption.verified {
        popups::close_forms(state, account, |kind| *kind == FormKind::OfferVerification);
    }
    let Some(of) = state.accounts.get_mut(&account) else { return Vec::new() };
    of.encryption = Some(encryption);
    let fresh = of.fresh_login && recovery != Recovery::Unknown;
    of.fresh_login &= !fresh;
    if recovery == Recovery::Enabled {
        // An offer that was taken waits for its key.
        state.popups.retain(|popup| match popup {
            Popup::Form(form) if form.account != Some(account) => true,
            Popup::Form(form) if form.kind == FormKind::OfferRecovery => form.busy.is_some(),
            Popup::Form(form) => form.kind != FormKind::Recover,
            _ => true,
        });
    }
    match recovery {
        _ if !fresh => {}
        Recovery::Disabled => encryption::offer_recovery(state),
        Recovery::Elsewhere => encryption::offer_verification(state),
        Recovery::Incomplete => encryption::ask_for_recovery_key(state),
        Recovery::Unknown | Recovery::Enabled => {}
    }
    Vec::new()
}

fn recovery_failed(state: &mut State, account: AccountId, reason: &str) -> Vec<Effect> {
    let is_it = |form: &&mut Form| form.kind == FormKind::Recover && form.account == Some(account);
    match state.form_mut().filter(is_it) {
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
