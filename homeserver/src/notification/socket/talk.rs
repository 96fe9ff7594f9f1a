//! One socket's conversation, from the first frame to the close.

use std::{pin::pin, time::Duration};

use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use tokio::time::{Instant, timeout, timeout_at};

use super::{
    Close, Fault, Heard, Limits, Refusal, Said, Why,
    frames::{Asked, ClientFrame, ServerFrame},
    say::{refuse, refuse_and_close, send, turn_away},
    seats::Seat,
};
use crate::{
    app::App,
    auth::{self, Auth, HeldToken, Requester},
    messaging::{
        Engine,
        presence::{Connected, connect},
    },
    notification::{
        Error, Sync,
        sliding::{Session, Viewer},
    },
};

/// What a socket is opened onto.
#[derive(Debug, Clone)]
pub struct Door {
    pub engine: Engine,
    pub sync: Sync,
    pub auth: Auth,
    pub limits: Limits,
}

/// How a conversation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The server closes.
    Close(Close),
    /// The client closed.
    Closed,
    /// The client is gone, or reads too slowly to be told.
    Gone,
}

impl From<Fault> for End {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Binary => Self::Close(Close::BINARY),
            Fault::TooLarge => Self::Close(Close::TOO_LARGE),
            Fault::Protocol => Self::Close(Close::PROTOCOL),
            Fault::Closed => Self::Closed,
            Fault::Gone => Self::Gone,
        }
    }
}

/// Both ends of a socket.
pub trait Wire:
    Stream<Item = Result<Heard, Fault>> + Sink<Said, Error = Fault> + Unpin + Send
{
}

impl<W> Wire for W where
    W: Stream<Item = Result<Heard, Fault>> + Sink<Said, Error = Fault> + Unpin + Send
{
}

/// Talks with a client until one of the two closes the socket.
pub async fn talk<W: Wire>(door: Door, mut wire: W) {
    let end = match converse(&door, &mut wire).await {
        Ok(never) => match never {},
        Err(end) => end,
    };
    tracing::debug!(?end, "a socket ended");
    let goodbye = async {
        match end {
            End::Close(close) => {
                if wire.send(Said::Close(close)).await.is_ok() {
                    while let Some(Ok(_)) = wire.next().await {}
                }
            }
            // The answer to the client's close is on its way already.
            End::Closed => drop(wire.close().await),
            End::Gone => {}
        }
    };
    drop(timeout(door.limits.close, goodbye).await);
}

/// A conversation only ends by an [`End`].
enum Never {}

async fn converse<W: Wire>(door: &Door, wire: &mut W) -> Result<Never, End> {
    // What is needed only now and then is on the heap: a waiting socket holds little.
    let (mut talk, first) = Box::pin(meet(door, wire)).await?;
    let bell = &door.engine.app().bell;
    let waiter = bell.wait_for(talk.requester.user);
    if let Some((id, request)) = first {
        Box::pin(talk.stand(wire, id, request)).await?;
    }
    let mut patience = Patience::new(&door.limits);
    let mut rung = pin!(waiter.rung());
    // Whether there may be news that were not looked for yet.
    let mut is_due = true;
    loop {
        if bell.is_closed() {
            return Err(End::Close(Close::STOPPING));
        }
        if let Some(close) = talk.seat.lost() {
            return Err(End::Close(close));
        }
        Box::pin(talk.check(wire)).await?;
        if std::mem::take(&mut is_due) {
            Box::pin(talk.push(wire)).await?;
        }
        let deadline = patience.deadline(talk.deadline(door.engine.app()));
        let event = timeout_at(deadline, async {
            tokio::select! {
                heard = wire.next() => Some(heard),
                () = rung.as_mut() => None,
            }
        });
        match event.await {
            Ok(Some(heard)) => {
                patience.heard();
                let heard = heard.unwrap_or(Err(Fault::Gone)).map_err(End::from)?;
                is_due = Box::pin(talk.hear(wire, heard)).await?;
            }
            Ok(None) => {
                rung.set(waiter.rung());
                is_due = true;
            }
            Err(_) if talk.is_late() => return Err(End::Close(Close::LATE)),
            Err(_) => patience.end(wire).await?,
        }
    }
}

/// The client's first frame: who is it?
async fn meet<'d, W: Wire>(
    door: &'d Door,
    wire: &mut W,
) -> Result<(Talk<'d>, Option<(Option<String>, Asked)>), End> {
    let app = door.engine.app();
    let deadline = Instant::now() + door.limits.open;
    let stopping = &door.sync.0.sockets.stopping;
    let text = loop {
        let heard = stopping.run_until_cancelled(timeout_at(deadline, wire.next())).await;
        match heard.ok_or(End::Close(Close::STOPPING))? {
            Err(_) => return Err(End::Close(Close::LATE)),
            Ok(None) => return Err(End::Gone),
            Ok(Some(Ok(Heard::Sign))) => {}
            Ok(Some(Ok(Heard::Text(text)))) => break text,
            Ok(Some(Err(fault))) => return Err(fault.into()),
        }
    };
    let frame = match ClientFrame::parse(&text) {
        Ok(frame) => frame,
        Err(why) => return refuse_and_close(&door.limits, wire, why, Close::BAD_FRAME).await,
    };
    let ClientFrame::Open { access_token: Some(token), id, form, request } = frame else {
        return refuse_and_close(&door.limits, wire, Why::NotOpened, Close::UNAUTHORIZED).await;
    };
    let request = match request.map(|request| Asked::read(form, request)).transpose() {
        Ok(request) => request,
        Err(why) => return refuse_and_close(&door.limits, wire, why, Close::BAD_FRAME).await,
    };
    let (requester, token) = match auth::authenticate_to_hold(app, &door.auth, &token).await {
        Ok(known) => known,
        Err(error) => return turn_away(&door.limits, wire, error).await,
    };
    let (seat, has_displaced) = Seat::take(&door.sync, requester.device);
    if has_displaced {
        app.bell.ring_users([requester.user]);
    }
    let opened = ServerFrame::Opened {
        user_id: &requester.user_id,
        device_id: &requester.device_id,
        limits: (&door.limits).into(),
    };
    send(&door.limits, wire, &opened).await?;
    let talk = Talk { door, requester, token, seat, standing: None, connected: None };
    Ok((talk, request.map(|request| (id, request))))
}

/// When to ask a silent client whether it is there.
struct Patience {
    every: Duration,
    next: Instant,
    /// A ping is unanswered.
    is_asked: bool,
}

impl Patience {
    fn new(limits: &Limits) -> Self {
        Self { every: limits.ping, next: Instant::now() + limits.ping, is_asked: false }
    }

    fn heard(&mut self) {
        self.is_asked = false;
    }

    fn deadline(&self, other: Option<Instant>) -> Instant {
        other.map_or(self.next, |other| other.min(self.next))
    }

    /// Time is up for something: if it is for the client to speak, it is asked once.
    async fn end<W: Wire>(&mut self, wire: &mut W) -> Result<(), End> {
        if Instant::now() < self.next {
            return Ok(());
        }
        if self.is_asked {
            return Err(End::Gone);
        }
        self.is_asked = true;
        self.next = Instant::now() + self.every;
        let ping = timeout(self.every, wire.send(Said::Ping)).await;
        ping.map_err(|_| End::Gone)?.map_err(End::from)
    }
}

/// A socket whose client is known.
struct Talk<'d> {
    door: &'d Door,
    requester: Requester,
    token: HeldToken,
    seat: Seat,
    /// `None`: nothing is asked for.
    standing: Option<Box<Standing>>,
    /// Shows that the user is there, as the standing request says.
    connected: Option<Connected>,
}

/// The request that stands.
struct Standing {
    id: Option<String>,
    session: Session,
    /// It has not been answered yet: the first answer is due whatever it says.
    is_due: bool,
    unacknowledged: Option<Unacknowledged>,
}

/// A delta that the client has not said to have.
struct Unacknowledged {
    pos: String,
    /// Up to where it told messages to the device.
    to_device: Option<String>,
    until: Instant,
}

impl Talk<'_> {
    fn viewer(&self) -> Viewer<'_> {
        let Door { engine, sync, .. } = self.door;
        Viewer { engine, state: sync, requester: &self.requester }
    }

    fn limits(&self) -> &Limits {
        &self.door.limits
    }

    /// When something is over: the time to acknowledge, or the access token.
    fn deadline(&self, app: &App) -> Option<Instant> {
        let expires = self.token.expires_ms().map(|expires_ms| {
            let left = u64::try_from(expires_ms - app.clock.now_ms()).unwrap_or_default();
            Instant::now() + Duration::from_millis(left)
        });
        expires.into_iter().chain(self.until()).min()
    }

    fn until(&self) -> Option<Instant> {
        Some(self.standing.as_ref()?.unacknowledged.as_ref()?.until)
    }

    /// Whether the client should have acknowledged by now.
    fn is_late(&self) -> bool {
        self.until().is_some_and(|until| until <= Instant::now())
    }

    /// Asks whether the session still stands.
    async fn check<W: Wire>(&self, wire: &mut W) -> Result<(), End> {
        match self.token.check(self.door.engine.app(), &self.door.auth).await {
            Ok(()) => Ok(()),
            Err(error) => turn_away(self.limits(), wire, error).await,
        }
    }

    /// Looks for news, if the client is ready for them, and sends them.
    async fn push<W: Wire>(&mut self, wire: &mut W) -> Result<(), End> {
        let Some(standing) = &self.standing else { return Ok(()) };
        if standing.unacknowledged.is_some() {
            return Ok(());
        }
        let found = match standing.session.look(self.viewer()).await {
            Ok(found) => found,
            Err(error) => {
                return refuse_and_close(self.limits(), wire, Why::Sync(error), Close::FAILED)
                    .await;
            }
        };
        let Some(standing) = &mut self.standing else { return Ok(()) };
        if !standing.is_due && found.answer.is_empty() {
            standing.session.pass(&found);
            return Ok(());
        }
        let answer = standing.session.answer(&self.door.sync, found);
        let delta = ServerFrame::Delta { id: standing.id.as_deref(), response: &answer };
        send(&self.door.limits, wire, &delta).await?;
        let to_device = answer.extensions.to_device.map(|it| it.part.next_batch);
        let until = Instant::now() + self.door.limits.acknowledge;
        standing.is_due = false;
        standing.unacknowledged = Some(Unacknowledged { pos: answer.pos, to_device, until });
        Ok(())
    }

    /// Takes a frame; tells whether there may be something to push for it.
    async fn hear<W: Wire>(&mut self, wire: &mut W, heard: Heard) -> Result<bool, End> {
        let text = match heard {
            Heard::Sign => return Ok(false),
            Heard::Text(text) => text,
        };
        match ClientFrame::parse(&text) {
            Ok(ClientFrame::Request { id, form, request }) => match Asked::read(form, request) {
                Ok(asked) => self.stand(wire, id, asked).await.map(|()| true),
                Err(why) => refuse_and_close(self.limits(), wire, why, Close::BAD_FRAME).await,
            },
            Ok(ClientFrame::Ack { pos }) => self.acknowledge(wire, &pos).await,
            Ok(ClientFrame::Auth { access_token }) => {
                self.renew(wire, &access_token).await.map(|()| false)
            }
            Ok(ClientFrame::Unknown) => {
                let refusal = Refusal { id: None, why: Why::UnknownType };
                refuse(self.limits(), wire, refusal).await.map(|()| false)
            }
            Ok(ClientFrame::Open { .. }) => {
                let why = Why::BadJson("the socket is open already".to_owned());
                refuse_and_close(self.limits(), wire, why, Close::BAD_FRAME).await
            }
            Err(why) => refuse_and_close(self.limits(), wire, why, Close::BAD_FRAME).await,
        }
    }

    /// Puts a request in the place of the one that stood.
    async fn stand<W: Wire>(
        &mut self,
        wire: &mut W,
        id: Option<String>,
        asked: Asked,
    ) -> Result<(), End> {
        self.standing = None;
        let begun = match asked.into_request(&self.requester.user_id) {
            Ok(request) => {
                if self.seat.serve(&request.conn_id) {
                    self.door.engine.app().bell.ring_users([self.requester.user]);
                }
                let says = request.set_presence;
                self.connected = connect(&self.door.engine, &self.requester, says).await;
                Session::begin(self.viewer(), request).await
            }
            Err(error) => Err(error),
        };
        match begun {
            Ok(session) => {
                let standing = Standing { id, session, is_due: true, unacknowledged: None };
                self.standing = Some(Box::new(standing));
                Ok(())
            }
            Err(error) => self.fail(wire, id, error).await,
        }
    }

    /// The client has the delta with this `pos`; tells whether it is the one that is out. What else it acknowledges is an
    /// answer to a request that stands no more.
    async fn acknowledge<W: Wire>(&mut self, wire: &mut W, pos: &str) -> Result<bool, End> {
        let Some(mut standing) = self.standing.take() else { return Ok(false) };
        let Some(delta) = standing.unacknowledged.take_if(|delta| delta.pos == pos) else {
            self.standing = Some(standing);
            return Ok(false);
        };
        match standing.session.acknowledge(self.viewer(), pos, delta.to_device).await {
            Ok(()) => {
                self.standing = Some(standing);
                Ok(true)
            }
            Err(error) => self.fail(wire, standing.id, error).await.map(|()| false),
        }
    }

    /// The client has a new access token for the same session.
    async fn renew<W: Wire>(&mut self, wire: &mut W, token: &str) -> Result<(), End> {
        let app = self.door.engine.app();
        match auth::authenticate_to_hold(app, &self.door.auth, token).await {
            Ok((requester, token)) if requester.device == self.requester.device => {
                self.token = token;
                Ok(())
            }
            Ok(_) => {
                refuse_and_close(self.limits(), wire, Why::OtherDevice, Close::UNAUTHORIZED).await
            }
            Err(error) => turn_away(self.limits(), wire, error).await,
        }
    }

    /// Refuses a request; the socket waits for the next. What is not the client's doing ends it.
    async fn fail<W: Wire>(
        &self,
        wire: &mut W,
        id: Option<String>,
        error: Error,
    ) -> Result<(), End> {
        match error {
            Error::UnknownPos | Error::InvalidParam(_) | Error::UnknownFilter => {
                refuse(self.limits(), wire, Refusal { id, why: Why::Sync(error) }).await
            }
            Error::Account(_) | Error::Messaging(_) | Error::Storage(_) => {
                refuse_and_close(self.limits(), wire, Why::Sync(error), Close::FAILED).await
            }
        }
    }
}
