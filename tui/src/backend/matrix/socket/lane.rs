//! One connection of sliding sync over its socket: a request that stands, and a delta at a time.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until, timeout},
};
use url::Url;

use super::{
    ask::{Ask, FORM},
    line::{Delta, Gone, Heard, Line},
};
use crate::backend::matrix::http::Http;

/// How long opening a socket may take.
const OPENING: Duration = Duration::from_secs(10);
/// How long the server may take to answer a new request, which it does at once.
const ANSWERING: Duration = Duration::from_secs(15);
/// How long a socket is kept that nobody asks anything of. The server closes one whose delta is not acknowledged a minute later.
const UNUSED: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(60);
/// Closes after which another socket would end the same way: what was said was not understood, and another has the connection.
const FINAL: [u16; 5] = [1002, 1003, 1009, 4400, 4409];

/// The answer to a sync; `None`: ask by HTTP.
pub(super) type Answer = Option<Bytes>;

/// A sync that waits for its answer.
pub(super) struct Call {
    pub(super) base: Url,
    pub(super) token: String,
    pub(super) ask: Ask,
    pub(super) answer: oneshot::Sender<Answer>,
}

pub(super) struct Lane {
    http: Http,
    calls: mpsc::UnboundedReceiver<Call>,
    line: Option<Line>,
    standing: Option<Standing>,
    waiting: Option<Waiting>,
    /// The number of the newest request.
    number: u64,
    /// Since when nobody waits.
    unused: Instant,
    tries: Tries,
}

/// The request that stands.
struct Standing {
    wanted: Value,
    /// Up to where the client has everything, as the server knows.
    at: Option<String>,
    /// What came after that. It is acknowledged by the client's next request, and told again until then.
    delta: Option<Delta>,
}

struct Waiting {
    answer: oneshot::Sender<Answer>,
    until: Instant,
    /// The request is new: no answer at all is the socket's fault.
    is_due: bool,
}

/// What to do for a call.
enum Next {
    Tell(Bytes),
    Wait { is_due: bool },
}

/// When a socket is tried.
struct Tries {
    next: Instant,
    pause: Duration,
    is_over: bool,
}

impl Standing {
    /// Whether a request only goes on with this one.
    fn goes_on(&self, ask: &Ask) -> bool {
        // A client that can't wait wants an answer now, and a request has one.
        if ask.wanted != self.wanted || ask.pos.is_none() || ask.timeout.is_zero() {
            return false;
        }
        match &self.delta {
            // Acknowledging would delete messages that the client does not say to have.
            Some(delta) if ask.pos.as_ref() == Some(&delta.pos) => {
                delta.to_device.is_none() || delta.to_device == ask.since
            }
            _ => ask.pos == self.at,
        }
    }

    /// Nothing new.
    fn nothing(&self) -> Option<Bytes> {
        let nothing = json!({ "pos": self.at.as_ref()?, "rooms": {}, "extensions": {} });
        Some(Bytes::from(nothing.to_string()))
    }
}

impl Lane {
    pub(super) fn new(http: Http, calls: mpsc::UnboundedReceiver<Call>) -> Self {
        let now = Instant::now();
        Lane {
            http,
            calls,
            line: None,
            standing: None,
            waiting: None,
            number: 0,
            unused: now,
            tries: Tries { next: now, pause: FIRST_PAUSE, is_over: false },
        }
    }

    /// Answers until nobody can ask any more.
    pub(super) async fn run(mut self) {
        loop {
            let until = self.deadline();
            tokio::select! {
                call = self.calls.recv() => match call {
                    Some(call) => self.take(call).await,
                    None => return,
                },
                heard = hear(&mut self.line) => match heard {
                    Ok(heard) => self.hear(heard),
                    Err(gone) => self.lose(gone),
                },
                () = sleep_until(until), if self.line.is_some() => self.look_at_the_time(),
            }
        }
    }

    async fn take(&mut self, call: Call) {
        // A client has one request at a time on a connection: who waited is gone.
        self.waiting = None;
        self.unused = Instant::now();
        if call.answer.is_closed() {
            return;
        }
        if self.line.is_none() && !self.open(&call).await {
            return answer(call.answer, None);
        }
        match self.go_on(&call).await {
            Ok(Next::Tell(response)) => answer(call.answer, Some(response)),
            Ok(Next::Wait { is_due }) => {
                let patience = if is_due { ANSWERING } else { call.ask.timeout };
                let until = Instant::now() + patience;
                self.waiting = Some(Waiting { answer: call.answer, until, is_due });
            }
            Err(gone) => {
                self.lose(gone);
                answer(call.answer, None);
            }
        }
    }

    /// Opens a socket, if it is time to.
    async fn open(&mut self, call: &Call) -> bool {
        // Who does not wait is answered best by HTTP, which packs large answers.
        if call.ask.timeout.is_zero() || !self.tries.is_time() {
            return false;
        }
        match timeout(OPENING, Line::open(&self.http, &call.base, &call.token)).await {
            Ok(Ok(line)) => {
                tracing::info!(connection = call.ask.conn_id, "the sync goes by the socket");
                self.line = Some(line);
                return true;
            }
            Ok(Err(error)) => tracing::info!(%error, "the socket was not opened"),
            Err(_) => tracing::info!("the socket took too long to open"),
        }
        self.tries.fail();
        false
    }

    /// Says what has to be said for a call.
    async fn go_on(&mut self, call: &Call) -> Result<Next, Gone> {
        let Some(line) = &mut self.line else { return Err(Gone::Broken) };
        line.renew(&call.token).await?;
        let ask = &call.ask;
        if let Some(standing) = self.standing.as_mut().filter(|standing| standing.goes_on(ask)) {
            return match standing.delta.take() {
                Some(delta) if ask.pos.as_ref() == Some(&delta.pos) => {
                    line.say(&json!({ "type": "ack", "pos": delta.pos })).await?;
                    standing.at = Some(delta.pos);
                    Ok(Next::Wait { is_due: false })
                }
                Some(delta) => {
                    let response = delta.response.clone();
                    standing.delta = Some(delta);
                    Ok(Next::Tell(response))
                }
                None => Ok(Next::Wait { is_due: false }),
            };
        }
        self.number += 1;
        let id = self.number.to_string();
        let request = ask.request();
        line.say(&json!({ "type": "request", "id": id, "form": FORM, "request": request })).await?;
        let (wanted, at) = (ask.wanted.clone(), ask.pos.clone());
        self.standing = Some(Standing { wanted, at, delta: None });
        Ok(Next::Wait { is_due: true })
    }

    fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Delta(delta) if delta.request == self.number => {
                let Some(standing) = &mut self.standing else { return };
                let response = delta.response.clone();
                standing.delta = Some(delta);
                self.tell(Some(response));
            }
            // HTTP says why, in its own words; the socket waits for another request.
            Heard::Refused(number) if number == self.number => {
                self.standing = None;
                self.tell(None);
            }
            Heard::Delta(_) | Heard::Refused(_) | Heard::Other => {}
        }
    }

    fn tell(&mut self, what: Answer) {
        if let Some(waiting) = self.waiting.take() {
            self.unused = Instant::now();
            answer(waiting.answer, what);
        }
    }

    fn lose(&mut self, gone: Gone) {
        let Some(line) = self.line.take() else { return };
        tracing::info!(?gone, "the socket ended");
        self.standing = None;
        self.tries.lost(line.opened, gone);
        self.tell(None);
    }

    fn deadline(&self) -> Instant {
        let used = match &self.waiting {
            Some(waiting) => waiting.until,
            None => self.unused + UNUSED,
        };
        self.line.as_ref().map_or(used, |line| used.min(line.silent_at()))
    }

    fn look_at_the_time(&mut self) {
        let now = Instant::now();
        if self.line.as_ref().is_some_and(|line| line.silent_at() <= now) {
            return self.lose(Gone::Broken);
        }
        match &self.waiting {
            Some(waiting) if waiting.until > now => {}
            Some(Waiting { is_due: true, .. }) => self.lose(Gone::Broken),
            Some(_) => {
                let nothing = self.standing.as_ref().and_then(Standing::nothing);
                self.tell(nothing);
            }
            None if self.unused + UNUSED <= now => {
                self.line = None;
                self.standing = None;
            }
            None => {}
        }
    }
}

impl Tries {
    fn is_time(&self) -> bool {
        !self.is_over && self.next <= Instant::now()
    }

    /// Waits longer before the next try, and not as long as others do.
    fn fail(&mut self) {
        self.next = Instant::now() + self.pause.mul_f64(rand::random_range(0.5..1.0));
        self.pause = (self.pause * 2).min(LAST_PAUSE);
    }

    /// A socket that was opened then has ended.
    fn lost(&mut self, opened: Instant, gone: Gone) {
        if opened.elapsed() > LAST_PAUSE {
            self.pause = FIRST_PAUSE;
        }
        self.is_over |= matches!(gone, Gone::Closed(code) if FINAL.contains(&code));
        self.fail();
    }
}

/// Who asked may be gone.
fn answer(to: oneshot::Sender<Answer>, what: Answer) {
    drop(to.send(what));
}

/// What comes next; never, without a socket.
async fn hear(line: &mut Option<Line>) -> Result<Heard, Gone> {
    match line {
        Some(line) => line.hear().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use serde_json::{Value, json};

    use super::{Ask, Delta, Standing};

    fn ask(wanted: &Value, pos: Option<&str>, since: Option<&str>) -> Ask {
        Ask {
            conn_id: "one".to_owned(),
            wanted: wanted.clone(),
            pos: pos.map(str::to_owned),
            since: since.map(str::to_owned),
            timeout: Duration::from_secs(30),
        }
    }

    fn delta(pos: &str, to_device: Option<&str>) -> Delta {
        Delta {
            request: 1,
            pos: pos.to_owned(),
            to_device: to_device.map(str::to_owned),
            response: Bytes::new(),
        }
    }

    #[test]
    fn a_request_goes_on_only_from_where_the_socket_is() {
        let wanted = json!({ "lists": {} });
        let mut standing =
            Standing { wanted: wanted.clone(), at: Some("1".to_owned()), delta: None };
        assert!(standing.goes_on(&ask(&wanted, Some("1"), None)));
        assert!(!standing.goes_on(&ask(&wanted, Some("0"), None)));
        assert!(!standing.goes_on(&ask(&wanted, None, None)), "without a place it begins anew");
        assert!(!standing.goes_on(&ask(&json!({ "lists": { "a": {} } }), Some("1"), None)));
        let at_once = Ask { timeout: Duration::ZERO, ..ask(&wanted, Some("1"), None) };
        assert!(!standing.goes_on(&at_once));

        // The next delta is told again until the client has it, with the messages to the device in it.
        standing.delta = Some(delta("2", Some("d2")));
        assert!(standing.goes_on(&ask(&wanted, Some("1"), Some("d1"))));
        assert!(standing.goes_on(&ask(&wanted, Some("2"), Some("d2"))));
        assert!(!standing.goes_on(&ask(&wanted, Some("2"), Some("d1"))));
        assert!(!standing.goes_on(&ask(&wanted, Some("3"), Some("d2"))));
        standing.delta = Some(delta("2", None));
        assert!(standing.goes_on(&ask(&wanted, Some("2"), Some("d1"))));
    }

    #[test]
    fn nothing_new_is_said_at_the_same_place() {
        let mut standing = Standing { wanted: json!({}), at: Some("1".to_owned()), delta: None };
        let nothing: Value = serde_json::from_slice(&standing.nothing().unwrap()).unwrap();
        assert_eq!(nothing, json!({ "pos": "1", "rooms": {}, "extensions": {} }));
        standing.at = None;
        assert!(standing.nothing().is_none());
    }
}
