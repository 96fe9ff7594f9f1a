//! A running session: the SDK's client, the tasks around it, and which request goes where.

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use matrix_sdk::{Client, Room, SessionChange};
use ruma::{OwnedRoomId, OwnedUserId, RoomId};
use tokio::{
    sync::{broadcast, mpsc},
    task::JoinSet,
};

use super::{
    arrange, attachments, chats, encryption, events, files, identity, link_previews, listing,
    login, manage, people, pictures, profile, reports::Reports, rooms, send, store::Store,
    sync::SyncEngine, timeline, verification, views,
};
use crate::backend::{Report, Request};

/// The server ended the session.
pub(super) struct SessionEnd {
    pub(super) soft: bool,
}

pub(super) struct Session {
    pub(super) client: Client,
    pub(super) user: OwnedUserId,
    pub(super) reports: Reports,
    pub(super) timelines: timeline::Timelines,
    pub(super) verification: verification::Flows,
    pub(super) transfers: files::Transfers,
    pub(super) sync: SyncEngine,
    store: Store,
    pub(super) listing: listing::Listing,
    pub(super) changed: identity::Changed,
    /// Rooms whose row in the chat list may have changed in a way the SDK does not announce.
    pub(super) pokes: broadcast::Sender<OwnedRoomId>,
    /// Requests that must keep their order: what is sent, and the small signals.
    outgoing: mpsc::UnboundedSender<Request>,
    signals: mpsc::UnboundedSender<Request>,
    openings: mpsc::UnboundedSender<Request>,
    tasks: Mutex<JoinSet<()>>,
}

impl Session {
    /// Starts everything around a logged-in client. Needs no network.
    pub(super) fn begin(
        client: Client,
        store: Store,
        reports: Reports,
        ends: mpsc::UnboundedSender<SessionEnd>,
    ) -> Result<Arc<Self>, String> {
        let Some(meta) = client.session_meta() else {
            return Err("The server gave no session. Log in again.".to_owned());
        };
        // Only now: the task that decrypts late keys ends at once when there is no session yet.
        client
            .event_cache()
            .subscribe()
            .map_err(|error| format!("The history can't be opened: {error}. Start Tern again."))?;
        let sync = SyncEngine::new(store.begin_run());
        let (user, device) = (meta.user_id.clone(), meta.device_id.to_string());
        let (outgoing, outgoing_inbox) = mpsc::unbounded_channel();
        let (signals, signals_inbox) = mpsc::unbounded_channel();
        let (openings, openings_inbox) = mpsc::unbounded_channel();
        let (pokes, _) = broadcast::channel(256);
        client.send_queue().enable_upload_progress(true);
        let session = Arc::new(Self {
            user: user.clone(),
            reports: reports.clone(),
            timelines: timeline::Timelines::default(),
            verification: verification::Flows::default(),
            transfers: files::Transfers::default(),
            sync,
            store: store.clone(),
            listing: listing::Listing::default(),
            changed: identity::Changed::default(),
            pokes,
            outgoing,
            signals,
            openings,
            tasks: Mutex::new(JoinSet::new()),
            client,
        });
        reports.send(Report::LoggedIn {
            server: user.server_name().to_string(),
            user: user.to_string(),
            device,
        });
        session.spawn(watch_tokens(session.clone(), store, ends));
        session.spawn(chats::watch(session.clone()));
        session.spawn(encryption::watch(session.clone()));
        session.spawn(super::sync::run(session.clone()));
        session.spawn(super::sync::note_news(session.clone()));
        session.spawn(send::watch_errors(session.clone()));
        for inbox in [outgoing_inbox, signals_inbox, openings_inbox] {
            session.spawn(in_order(session.clone(), inbox));
        }
        events::listen(&session);
        Ok(session)
    }

    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a task until it is done or the session ends.
    pub(super) fn spawn(
        &self,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> tokio::task::AbortHandle {
        let mut tasks = self.tasks();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task)
    }

    /// Ends all tasks and waits for them, so that nothing holds the stores open.
    pub(super) async fn stop(&self) {
        self.sync.stop().await;
        self.sync.settle().await;
        self.timelines.clear();
        let mut tasks = std::mem::take(&mut *self.tasks());
        tasks.shutdown().await;
        self.store.end_run();
    }

    /// Has the chat list look at a room again.
    pub(super) fn poke(&self, room: &RoomId) {
        if self.pokes.send(room.to_owned()).is_err() {
            tracing::debug!("nobody watches the chat list");
        }
    }

    /// The room, or a report that there is none.
    pub(super) fn room(&self, chat: &str) -> Option<Room> {
        let room = RoomId::parse(chat).ok().and_then(|id| self.client.get_room(&id));
        if room.is_none() {
            self.reports.failed("That chat is not here (any more).");
        }
        room
    }

    /// Carries out `request` in the background, in its lane's order.
    pub(super) fn handle(self: &Arc<Self>, request: Request) {
        if let Request::List(of) = &request {
            self.listing.set(of.clone());
        }
        let lane = match &request {
            request if request.sends() => &self.outgoing,
            Request::Typing { .. } | Request::MarkRead { .. } | Request::Arrange(_) => {
                &self.signals
            }
            Request::OpenChat { .. } | Request::OpenAround { .. } | Request::Rest => &self.openings,
            _ => {
                self.spawn(carry_out(self.clone(), request));
                return;
            }
        };
        if lane.send(request).is_err() {
            tracing::debug!("a request came while the session ended");
        }
    }
}

async fn in_order(session: Arc<Session>, mut inbox: mpsc::UnboundedReceiver<Request>) {
    while let Some(request) = inbox.recv().await {
        carry_out(session.clone(), request).await;
    }
}

async fn carry_out(session: Arc<Session>, request: Request) {
    match request {
        Request::OpenChat { chat } => timeline::open(&session, &chat).await,
        Request::Rest => session.timelines.rest(),
        Request::LoadOlder { chat } => timeline::load_older(&session, &chat, false).await,
        Request::OpenAround { .. }
        | Request::LoadOlderAround { .. }
        | Request::LoadNewer { .. }
        | Request::ListPinned { .. }
        | Request::ListThreads { .. }
        | Request::SearchChat { .. }
        | Request::ListShared { .. }
        | Request::FindDate { .. }
        | Request::Pin { .. }
        | Request::Forward { .. }
        | Request::SendToThread { .. } => views::carry_out(&session, request).await,
        Request::SendText { chat, text, reply_to, edits } => {
            send::text(&session, chat, text, reply_to, edits).await;
        }
        Request::SendAgain { chat, text, at_ms } => send::again(&session, chat, text, at_ms).await,
        Request::Retry { chat, message } => send::retry(&session, &chat, &message).await,
        Request::Delete { chat, message } => send::delete(&session, &chat, &message).await,
        Request::React { chat, message, reaction } => {
            send::react(&session, &chat, &message, &reaction).await;
        }
        Request::SendFiles { chat, files, caption } => {
            attachments::files(&session, chat, files, caption).await;
        }
        Request::SendSnippet { chat, text } => attachments::snippet(&session, &chat, text).await,
        Request::SaveFile { id, chat, message, path } => {
            files::save(&session, id, chat, message, path);
        }
        Request::StopTransfer { id } => files::stop(&session, id),
        Request::FetchPicture { chat, message } => pictures::fetch(&session, chat, message).await,
        Request::FetchAvatar { avatar } => pictures::fetch_avatar(&session, avatar).await,
        Request::FetchLink { url } => link_previews::fetch(&session, url).await,
        Request::People { chat } => people::fetch(&session, chat).await,
        Request::MarkRead { chat } => send::mark_read(&session, &chat).await,
        Request::Typing { chat, typing } => send::typing(&session, &chat, typing).await,
        Request::Arrange(change) => arrange::arrange(&session, change).await,
        Request::List(None) => {}
        Request::List(Some(of)) => listing::report(&session, of).await,
        Request::Manage(change) => manage::manage(&session, change).await,
        Request::NewDirectChat { user, encrypted } => {
            rooms::new_direct(&session, &user, encrypted).await;
        }
        Request::NewGroup { name, invite, encrypted } => {
            rooms::new_group(&session, name, invite, encrypted).await;
        }
        Request::Join { chat } => rooms::join(&session, &chat).await,
        Request::Leave { chat } => rooms::leave(&session, &chat).await,
        Request::Invite { chat, user } => rooms::invite(&session, &chat, &user).await,
        Request::FetchProfile { user } => profile::fetch(&session, user).await,
        Request::SetProfile { display_name, bio } => {
            profile::set(&session, display_name, bio).await;
        }
        Request::EnableRecovery => encryption::enable_recovery(&session).await,
        Request::Recover { key } => encryption::recover(&session, &key).await,
        Request::StartVerification { user } => verification::start(&session, user).await,
        Request::AcceptVerification => verification::accept(&session).await,
        Request::CompareEmoji => verification::compare_emoji(&session).await,
        Request::ConfirmVerification => verification::confirm(&session).await,
        Request::CancelVerification => verification::cancel(&session).await,
        _ => session.reports.failed("You are logged in already."),
    }
}

/// Saves renewed tokens and notices when the server no longer knows them.
async fn watch_tokens(
    session: Arc<Session>,
    store: Store,
    ends: mpsc::UnboundedSender<SessionEnd>,
) {
    let mut changes = session.client.subscribe_to_session_changes();
    loop {
        match changes.recv().await {
            Ok(SessionChange::TokensRefreshed) => {
                if let Err(reason) = login::save(&session.client, &store) {
                    session.reports.failed(reason);
                }
            }
            Ok(SessionChange::UnknownToken(data)) => {
                if ends.send(SessionEnd { soft: data.soft_logout }).is_err() {
                    return;
                }
            }
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}
