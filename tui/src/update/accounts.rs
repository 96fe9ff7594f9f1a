//! Several accounts: adding one, showing all or one, and what becomes of them when their sessions begin and end.

use super::{chats, notice, popups, save_soon, welcome, written};
use crate::action::Command;
use crate::backend::{AccountId, Chat, Report, Request, account_of};
use crate::effect::{Effect, Timer};
use crate::sanitize::line;
use crate::state::accounts::Account;
use crate::state::filter::Filter;
use crate::state::form::{Form, FormKind, Press, button};
use crate::state::picker::{Choice, Picker, Purpose, Row};
use crate::state::welcome::{Welcome, cant_open};
use crate::state::{Me, Pane, Popup, State};

pub(super) fn run(state: &mut State, command: Command) -> Vec<Effect> {
    match command {
        Command::AddAccount => add(state),
        Command::LogOut => {
            let account = state.front();
            ask_to_log_out(state, account)
        }
        _ => show(state),
    }
}

/// The accounts there are, to choose from.
fn show(state: &mut State) -> Vec<Effect> {
    let mut rows: Vec<(Choice, Row)> = Vec::new();
    let row = |text: String, quiet: &str| Row { text, quiet: quiet.to_owned(), ..Row::default() };
    if state.accounts.len() > 1 {
        rows.push((Choice::All, row("All accounts".to_owned(), "")));
    }
    for (id, account) in &state.accounts {
        let unread: u64 =
            state.chats.iter().filter(|chat| counts(chat, *id)).map(|chat| unread(chat)).sum();
        let how = match (account.words(), unread) {
            (words, 0) => words.to_owned(),
            (words, unread) => format!("{words}, {unread} unread"),
        };
        rows.push((Choice::One(*id), row(name(state, *id), &how)));
    }
    rows.push((Choice::Add, row("Add an account".to_owned(), "")));
    for id in state.accounts.keys() {
        rows.push((Choice::LogOut(*id), row(format!("Log out of {}", name(state, *id)), "")));
    }
    let shown = state.chosen.map_or(Choice::All, Choice::One);
    let selected = rows.iter().position(|(choice, _)| *choice == shown).unwrap_or(0);
    let (choices, rows): (Vec<Choice>, Vec<Row>) = rows.into_iter().unzip();
    let mut picker = Picker::new(Purpose::Accounts(choices), "Accounts", "");
    (picker.rows, picker.selected) = (rows, selected);
    state.popups.push(Popup::Picker(picker));
    Vec::new()
}

fn counts(chat: &Chat, account: AccountId) -> bool {
    account_of(&chat.id) == account && !chat.muted && !chat.archived
}

fn unread(chat: &Chat) -> u64 {
    chat.unread
}

/// What an account is called; its number until it is known who it is.
fn name(state: &State, account: AccountId) -> String {
    match state.me(account) {
        Some(me) => me.user.clone(),
        None => format!("account {}", account.0 + 1),
    }
}

/// What was chosen.
pub(super) fn choose(state: &mut State, choice: Choice) -> Vec<Effect> {
    match choice {
        Choice::All => show_only(state, None),
        Choice::One(account) => match take_entrance(state, account) {
            Some(entrance) => enter(state, entrance),
            None => show_only(state, Some(account)),
        },
        Choice::Add => add(state),
        Choice::LogOut(account) => ask_to_log_out(state, account),
    }
}

fn take_entrance(state: &mut State, account: AccountId) -> Option<Welcome> {
    state.accounts.get_mut(&account)?.entrance.take()
}

/// Shows the chats of one account only, or of all.
fn show_only(state: &mut State, chosen: Option<AccountId>) -> Vec<Effect> {
    let mut effects = Vec::new();
    let others = |chat: &str| chosen.is_some_and(|chosen| account_of(chat) != chosen);
    if state.open.as_ref().is_some_and(|open| others(&open.chat)) {
        effects.extend(super::composer::stop_typing(state));
        chats::close(state);
    }
    if let Filter::Space(space) = &state.filter
        && others(space)
    {
        state.filter = Filter::All;
    }
    (state.chosen, state.list_top) = (chosen, 0);
    select_something(state);
    effects
}

fn select_something(state: &mut State) {
    if state.index_of_selected().is_none() {
        state.selected = state.listed().first().map(|chat| chat.id.clone());
    }
}

/// Begins the way to another account; the ones there are go on.
fn add(state: &mut State) -> Vec<Effect> {
    let mut entrance = Welcome::new("").of(state.next_account());
    entrance.form = welcome::first_form(state, &entrance);
    enter(state, entrance)
}

fn enter(state: &mut State, entrance: Welcome) -> Vec<Effect> {
    let effects = super::composer::stop_typing(state);
    state.popups.clear();
    state.leader = false;
    state.welcome = Some(entrance);
    effects
}

/// Back from the first-run screens to the accounts that go on, or to another one that waits; `false`: there is none.
pub(super) fn leave(state: &mut State) -> bool {
    let Some(account) = state.welcome.as_ref().map(|welcome| welcome.account) else { return false };
    let waits =
        |(id, of): (&AccountId, &Account)| (*id != account && of.entrance.is_some()).then_some(*id);
    let next = if state.others_go_on(account) {
        None
    } else {
        match state.accounts.iter().find_map(waits) {
            Some(waiting) => take_entrance(state, waiting),
            None => return false,
        }
    };
    let left = std::mem::replace(&mut state.welcome, next);
    if let Some(of) = state.accounts.get_mut(&account) {
        // It has to be gone through before this account goes on.
        of.entrance = left;
    }
    true
}

/// Asks before an account's keys go.
fn ask_to_log_out(state: &mut State, account: AccountId) -> Vec<Effect> {
    let buttons = vec![popups::CANCEL, button("Log out", Press::Submit)];
    let mut intro = match state.mark(account) {
        Some(_) => vec![
            name(state, account),
            "This removes its keys and messages from this machine.".to_owned(),
        ],
        None => vec!["This removes all keys and messages from this machine.".to_owned()],
    };
    intro.push("Without a recovery key or another device, encrypted messages are lost.".to_owned());
    let form = Form::new(FormKind::LogOut, "Log out", Vec::new(), buttons).intro(intro);
    popups::show(state, Form { account: Some(account), ..form })
}

/// The first-run screens of an account: on the screen, or waiting until the user comes to them.
pub(super) fn entrance_of(state: &mut State, account: AccountId) -> Option<&mut Welcome> {
    let State { welcome, accounts, .. } = state;
    match welcome.as_mut().filter(|welcome| welcome.account == account) {
        Some(welcome) => Some(welcome),
        None => accounts.get_mut(&account)?.entrance.as_mut(),
    }
}

/// Whether a report is of anybody here: the last words of an account that is gone are nobody's.
pub(super) fn hears(state: &State, account: AccountId, report: &Report) -> bool {
    let entered = state.welcome.as_ref().is_some_and(|welcome| welcome.account == account);
    entered
        || state.account(account).is_some()
        || matches!(report, Report::LoggedIn { .. } | Report::CantOpen { .. })
}

/// How the session of an account is.
pub(super) fn take(state: &mut State, account: AccountId, report: Report) -> Vec<Effect> {
    match report {
        Report::LoggedIn { user, server, device } => {
            let me = Me { user: line(&user), server: line(&server), device: line(&device) };
            logged_in(state, account, me)
        }
        Report::LoggedOut { soft: true, reason } => soft_logged_out(state, account, reason),
        Report::LoggedOut { soft: false, reason } => logged_out(state, account, reason),
        Report::CantOpen { reason } => can_not_be_opened(state, account, &line(&reason)),
        _ => Vec::new(),
    }
}

fn logged_in(state: &mut State, account: AccountId, me: Me) -> Vec<Effect> {
    let shown = state.welcome.take_if(|welcome| welcome.account == account);
    let entrance = shown.or_else(|| take_entrance(state, account));
    let before = state.me(account).map(|before| before.user.clone());
    let added = before.is_none() && entrance.is_some() && !state.accounts.is_empty();
    if before.is_some_and(|before| before != me.user) {
        forget_chats(state, account);
    }
    let user = me.user.clone();
    let now_ms = state.now_ms;
    let of = state.accounts.entry(account).or_default();
    of.fresh_login = entrance.is_some_and(|entrance| entrance.form.kind != FormKind::CantOpen);
    (of.news_begun, of.began_ms) = (false, now_ms);
    of.me = Some(me);
    state.last_account = state.last_account.max(Some(account));
    let mut effects = save_soon(state);
    if added {
        effects.extend(show_only(state, None));
        let words = format!("{user} is here, too. Space A shows one account or all.");
        effects.extend(notice(state, words));
    }
    // The snapshot's chat is on the screen already; its messages are the backend's to tell.
    let open = state.open.as_ref().map(|open| open.chat.clone());
    let open = open.filter(|chat| account_of(chat) == account);
    effects.extend(open.map(|chat| Effect::Request(Request::OpenChat { chat })));
    effects.extend(written::send_left(state, account));
    effects
}

/// Forgets all that belongs to an account's chats.
fn forget_chats(state: &mut State, account: AccountId) {
    let of_it = |chat: &str| account_of(chat) == account;
    state.chats.retain(|chat| !of_it(&chat.id));
    state.taken.remove(&account);
    state.drafts.retain(|chat, _| !of_it(chat));
    state.outgoing.retain(|sent| !of_it(&sent.chat));
    state.held.retain(|held| !of_it(&held.chat));
    state.told.retain(|chat, _| !of_it(chat));
    state.transfers.retain(|transfer| !of_it(&transfer.chat));
    state.undo.take_if(|undo| of_it(&undo.chat));
    state.previous.take_if(|chat| of_it(chat));
    state.selected.take_if(|chat| of_it(chat));
    if state.open.take_if(|open| of_it(&open.chat)).is_some() {
        state.pane = Pane::List;
    }
    select_something(state);
}

/// Has the user come to an account's first-run screens: at once where nothing else goes on, else when they like.
fn wait_for_user(state: &mut State, entrance: Welcome, why: &str) -> Vec<Effect> {
    let account = entrance.account;
    let another = state.welcome.as_ref().is_some_and(|welcome| welcome.account != account);
    close_popups(state, account);
    if another || state.others_go_on(account) {
        state.accounts.entry(account).or_default().entrance = Some(entrance);
        let words = format!("{}: {why} Space A goes there.", name(state, account));
        return super::complain(state, words);
    }
    // What is on the screen stays below the question.
    state.popups.clear();
    state.leader = false;
    state.welcome = Some(entrance);
    Vec::new()
}

fn close_popups(state: &mut State, account: AccountId) {
    state.popups.retain(|popup| match popup {
        Popup::Form(form) => form.account != Some(account),
        Popup::List(list) => !list.is_of(account),
        Popup::Switcher { .. } | Popup::Help { .. } | Popup::Picker(_) => true,
    });
}

fn can_not_be_opened(state: &mut State, account: AccountId, reason: &str) -> Vec<Effect> {
    let server = state.me(account).map_or(String::new(), |me| me.server.clone());
    let mut entrance = Welcome::new(&server).of(account);
    entrance.form = cant_open(reason);
    state.last_account = state.last_account.max(Some(account));
    wait_for_user(state, entrance, "can't be opened.")
}

/// Chats and drafts are kept for the login of the same person.
fn soft_logged_out(state: &mut State, account: AccountId, reason: Option<String>) -> Vec<Effect> {
    let user = state.me(account).map_or(String::new(), |me| me.user.clone());
    let shown = state.welcome.take_if(|welcome| welcome.account == account);
    let mut entrance = shown.unwrap_or_else(|| Welcome::new(&user).of(account));
    entrance.form.error = reason.map(|reason| line(&reason));
    let mut effects = wait_for_user(state, entrance, "its server wants you to log in again.");
    effects.push(Effect::SaveSnapshot);
    effects
}

fn logged_out(state: &mut State, account: AccountId, reason: Option<String>) -> Vec<Effect> {
    let reason = reason.map(|reason| line(&reason));
    let was = state.accounts.remove(&account).unwrap_or_default();
    let shown = state.welcome.take_if(|welcome| welcome.account == account);
    if !state.accounts.is_empty() {
        return one_of_several_logged_out(state, account, &was, reason);
    }
    let server = was.me.map(|me| me.server).unwrap_or_default();
    let kept = State {
        size: state.size,
        zone: state.zone,
        now_ms: state.now_ms,
        unfocused: state.unfocused,
        title: state.title.clone(),
        wanted: state.wanted.clone(),
        settings: state.settings.clone(),
        theme: state.theme,
        slow_link: state.slow_link,
        picture_mode: state.picture_mode,
        last_account: state.last_account,
        ..State::default()
    };
    // The data folder itself is free again.
    let mut entrance = shown.unwrap_or_else(|| Welcome::new(&server)).of(AccountId::FIRST);
    entrance.form.error = reason;
    *state = State { welcome: Some(entrance), ..kept };
    vec![Effect::Stop(Timer::SaveSnapshot), Effect::ForgetSnapshot]
}

/// The others go on with all that is theirs; what is kept on disk is written without this one.
fn one_of_several_logged_out(
    state: &mut State,
    account: AccountId,
    was: &Account,
    reason: Option<String>,
) -> Vec<Effect> {
    state.chosen.take_if(|chosen| *chosen == account);
    forget_chats(state, account);
    close_popups(state, account);
    if matches!(&state.filter, Filter::Space(space) if account_of(space) == account) {
        state.filter = Filter::All;
    }
    if state.welcome.is_none() && state.accounts.values().all(|of| of.entrance.is_some()) {
        let waiting = state.accounts.values_mut().find_map(|of| of.entrance.take());
        state.welcome = waiting;
    }
    let words = format!("{} is logged out. {}", was.user(), reason.unwrap_or_default());
    let mut effects = notice(state, words.trim());
    effects.extend([Effect::SaveSnapshot, Effect::SaveWritten]);
    effects
}
