//! Rate limits: token buckets per class of operation, kept per address (IPv6 by /64) and per user.
//!
//! Limits per mail address and per account that somebody guesses the password of stand in `auth`.

use std::{
    hash::{BuildHasher as _, RandomState},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{
    extract::{FromRequestParts, Request},
    http::request::Parts,
    middleware::Next,
    response::{IntoResponse, Response},
};
use ruma::ServerName;

use super::{ApiError, ClientIp, Server};
use crate::{
    app::App,
    buckets::{Buckets, Rate},
    clock::Clock,
    config::{Limits, RateLimits},
    storage::Id,
};

/// Where a request that came over no socket comes from.
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Operations that share a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Class {
    /// Making an account, asking whether a name is free.
    Register,
    /// Guessing passwords, tokens and codes starts here.
    Login,
    /// Asking for a mail.
    Mail,
    /// Sending events.
    Send,
    /// Making, joining and leaving rooms, inviting people.
    Membership,
    /// Searching, and reading lists that span rooms.
    Search,
    Upload,
    Download,
    /// What makes this server fetch a page.
    Preview,
    /// Telling the administrators something.
    Report,
    /// What makes this server ask another one.
    Remote,
    /// Anything another server asks.
    Federation,
    Other,
}

impl Class {
    /// The class of an operation, by its path (a template or a real one).
    pub(super) fn of(path: &str) -> Self {
        let has = |part: &str| path.contains(part);
        if has("requestToken") {
            Self::Mail
        } else if has("/register") {
            Self::Register
        } else if has("/login")
            || path.ends_with("/refresh")
            || has("/account/password")
            || has("/chat.tern/")
            || has("/deactivate")
        {
            Self::Login
        } else if path.ends_with("/upload") && has("/media/") || has("/media/v1/create") {
            Self::Upload
        } else if path.ends_with("/preview_url") {
            Self::Preview
        } else if has("/media/") {
            Self::Download
        } else if has("/send/") || has("/redact/") || has("/state/") || has("/sendToDevice/") {
            Self::Send
        } else if has("/createRoom")
            || ["join", "leave", "invite", "knock", "kick", "ban", "unban", "forget", "upgrade"]
                .iter()
                .any(|verb| path.ends_with(&format!("/{verb}")))
            || has("/join/")
            || has("/knock/")
        {
            Self::Membership
        } else if has("/report") {
            Self::Report
        } else if has("/search") || has("/mutual_rooms") || has("/publicRooms") || has("/hierarchy")
        {
            Self::Search
        } else {
            Self::Other
        }
    }

    /// Generous to people and to a household behind one address, slow for guessing and flooding.
    fn rates(self) -> (Rate, Rate) {
        let rate = |burst, per_second| Rate { burst, per_second };
        match self {
            // (per address, per user)
            Self::Register => (rate(30, 0.2), rate(30, 0.2)),
            Self::Login => (rate(30, 0.3), rate(20, 0.2)),
            Self::Mail => (rate(20, 0.1), rate(10, 0.05)),
            Self::Send => (rate(1_000, 200.0), rate(200, 20.0)),
            Self::Membership => (rate(400, 20.0), rate(100, 2.0)),
            Self::Search => (rate(200, 10.0), rate(50, 2.0)),
            Self::Upload => (rate(200, 10.0), rate(60, 2.0)),
            Self::Download => (rate(2_000, 200.0), rate(1_000, 100.0)),
            // A screen of a chat has a dozen links at most.
            Self::Preview => (rate(200, 5.0), rate(60, 1.0)),
            Self::Report => (rate(60, 0.5), rate(20, 0.05)),
            Self::Remote => (rate(100, 2.0), rate(200, 5.0)),
            // (not by address, per server): a busy neighbour sends a few transactions a second and fetches a room at a time.
            Self::Federation => (rate(4_000, 200.0), rate(4_000, 200.0)),
            Self::Other => (rate(1_000, 200.0), rate(400, 50.0)),
        }
    }
}

/// Whose bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Who {
    Address(IpAddr),
    User(Id),
    /// A server's name, hashed with a key of this process.
    Server(u64),
}

/// The buckets. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct RateLimiter(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    names: RandomState,
    buckets: Buckets<(Class, Who)>,
}

impl RateLimiter {
    pub(super) fn new(limits: &Limits, clock: Clock) -> Self {
        match limits.rate {
            RateLimits::Off => Self(None),
            RateLimits::Default => Self(Some(Arc::new(Inner {
                clock,
                names: RandomState::new(),
                buckets: Buckets::default(),
            }))),
        }
    }

    /// Takes one operation from the address's bucket.
    ///
    /// # Errors
    /// How long to wait, when it is empty.
    pub(super) fn take_for_address(&self, class: Class, address: IpAddr) -> Result<(), Duration> {
        self.take(class, Who::Address(network(address)), class.rates().0)
    }

    /// Takes one operation from the user's bucket.
    ///
    /// # Errors
    /// How long to wait, when it is empty.
    pub(super) fn take_for_user(&self, class: Class, user: Id) -> Result<(), Duration> {
        self.take(class, Who::User(user), class.rates().1)
    }

    /// Takes one operation from the bucket of another server, who has proven its name.
    ///
    /// # Errors
    /// How long to wait, when it is empty.
    pub(super) fn take_for_server(&self, name: &ServerName) -> Result<(), Duration> {
        let Some(inner) = &self.0 else { return Ok(()) };
        let who = Who::Server(inner.names.hash_one(name.as_str()));
        self.take(Class::Federation, who, Class::Federation.rates().1)
    }

    fn take(&self, class: Class, who: Who, rate: Rate) -> Result<(), Duration> {
        let Some(inner) = &self.0 else { return Ok(()) };
        inner.buckets.take((class, who), rate, inner.clock.now_ms())
    }

    /// Puts back what an operation took that turned out to be mere waiting.
    fn give_back(&self, class: Class, address: IpAddr, user: Option<Id>) {
        let Some(inner) = &self.0 else { return };
        let (for_address, for_user) = class.rates();
        inner.buckets.give_back(&(class, Who::Address(network(address))), for_address);
        if let Some(user) = user {
            inner.buckets.give_back(&(class, Who::User(user)), for_user);
        }
    }
}

/// What a limited request was charged, left in it for [`limit_user`].
#[derive(Debug, Clone)]
struct Charge {
    class: Class,
    /// Whose bucket was taken from, beside the address's.
    user: Arc<OnceLock<Id>>,
}

/// In an answer: its request only waits for something, a mail's link for instance. It is charged as [`Class::Other`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting;

/// The layer of a limited route: takes from the address's bucket, and leaves the charge for [`limit_user`].
pub(super) async fn limit(class: Class, mut request: Request, next: Next) -> Response {
    let Some(limiter) = request.extensions().get::<RateLimiter>().cloned() else {
        return next.run(request).await;
    };
    let address = request.extensions().get().copied().map_or(LOOPBACK, |ClientIp(ip)| ip);
    if let Err(wait) = limiter.take_for_address(class, address) {
        return ApiError::limit_exceeded(wait).into_response();
    }
    let charge = Charge { class, user: Arc::default() };
    request.extensions_mut().insert(charge.clone());
    let response = next.run(request).await;
    if response.extensions().get::<Waiting>().is_some() {
        limiter.give_back(class, address, charge.user.get().copied());
        if let Err(wait) = limiter.take_for_address(Class::Other, address) {
            return ApiError::limit_exceeded(wait).into_response();
        }
    }
    response
}

/// Takes from the user's bucket, on a limited route.
///
/// # Errors
/// 429 M_LIMIT_EXCEEDED.
pub(super) fn limit_user(parts: &Parts, user: Id) -> Result<(), ApiError> {
    match (parts.extensions.get::<RateLimiter>(), parts.extensions.get::<Charge>()) {
        (Some(limiter), Some(charge)) => {
            limiter.take_for_user(charge.class, user).map_err(ApiError::limit_exceeded)?;
            charge.user.get_or_init(|| user);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Charges requests that make this server ask another one, where the specification knows no limit: such a handler takes this as
/// an argument.
#[derive(Debug)]
pub(super) struct RemoteLimit {
    limiter: Option<RateLimiter>,
    address: IpAddr,
}

impl FromRequestParts<Server> for RemoteLimit {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Server) -> Result<Self, Self::Rejection> {
        let ClientIp(address) = ClientIp::of(parts);
        Ok(Self { limiter: parts.extensions.get().cloned(), address })
    }
}

impl RemoteLimit {
    /// Charges one question to `server`; our own is free.
    ///
    /// # Errors
    /// 429 M_LIMIT_EXCEEDED.
    pub(super) fn charge(&self, app: &App, server: &ServerName) -> Result<(), ApiError> {
        match &self.limiter {
            Some(limiter) if !app.is_ours(server) => limiter
                .take_for_address(Class::Remote, self.address)
                .map_err(ApiError::limit_exceeded),
            _ => Ok(()),
        }
    }
}

/// What one subscriber is given: an IPv4 address or an IPv6 /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Class, RateLimiter};
    use crate::{
        clock::Clock,
        config::{Limits, RateLimits},
    };

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let clock = Clock::default();
        let limiter = RateLimiter::new(&Limits::default(), clock.clone());
        let address = "192.0.2.1".parse().unwrap();
        let taken =
            (0..100).filter(|_| limiter.take_for_address(Class::Mail, address).is_ok()).count();
        assert_eq!(taken, 20);
        let wait = limiter.take_for_address(Class::Mail, address).unwrap_err();
        assert!(wait <= Duration::from_secs(10) && wait > Duration::from_secs(5), "{wait:?}");
        clock.turn(Duration::from_secs(10));
        limiter.take_for_address(Class::Mail, address).unwrap();
        limiter.take_for_address(Class::Mail, "192.0.2.2".parse().unwrap()).unwrap();
        limiter.take_for_address(Class::Login, address).unwrap();
    }

    #[test]
    fn neighbours_in_one_ipv6_network_share_a_bucket() {
        let limiter = RateLimiter::new(&Limits::default(), Clock::default());
        for host in 1..=20 {
            let address = format!("2001:db8::{host:x}").parse().unwrap();
            limiter.take_for_address(Class::Mail, address).unwrap();
        }
        limiter.take_for_address(Class::Mail, "2001:db8::ffff".parse().unwrap()).unwrap_err();
        limiter.take_for_address(Class::Mail, "2001:db8:0:1::1".parse().unwrap()).unwrap();
    }

    #[test]
    fn a_server_that_asks_too_much_does_not_shut_out_another() {
        let clock = Clock::default();
        let limiter = RateLimiter::new(&Limits::default(), clock.clone());
        let (loud, quiet) = ("loud.example.org", "quiet.example.org");
        let [loud, quiet] =
            [loud, quiet].map(|name| ruma::OwnedServerName::try_from(name).unwrap());
        let taken = (0..10_000).filter(|_| limiter.take_for_server(&loud).is_ok()).count();
        // The clock goes on meanwhile, and a slow machine is let in a little more.
        assert!((4_000..5_000).contains(&taken), "{taken}");
        limiter.take_for_server(&quiet).unwrap();
        clock.turn(Duration::from_secs(1));
        limiter.take_for_server(&loud).unwrap();
    }

    #[test]
    fn switched_off_it_limits_nothing() {
        let limits = Limits { rate: RateLimits::Off, ..Limits::default() };
        let limiter = RateLimiter::new(&limits, Clock::default());
        for _ in 0..1_000 {
            limiter.take_for_user(Class::Login, 1).unwrap();
        }
    }

    #[test]
    fn operations_have_the_class_of_what_they_cost() {
        for (path, class) in [
            ("/_matrix/client/v3/register", Class::Register),
            ("/_matrix/client/v3/register/email/requestToken", Class::Mail),
            ("/_matrix/client/v3/login", Class::Login),
            ("/_matrix/client/v3/rooms/{room_id}/send/{event_type}/{txn_id}", Class::Send),
            ("/_matrix/client/v3/rooms/{room_id}/join", Class::Membership),
            ("/_matrix/client/v3/join/{room_id_or_alias}", Class::Membership),
            ("/_matrix/client/v3/publicRooms", Class::Search),
            ("/_matrix/media/v3/upload", Class::Upload),
            ("/_matrix/client/v1/media/download/{server_name}/{media_id}", Class::Download),
            ("/_matrix/client/v1/media/preview_url", Class::Preview),
            ("/_matrix/client/v3/rooms/{room_id}/report/{event_id}", Class::Report),
            ("/_matrix/client/v3/keys/upload", Class::Other),
        ] {
            assert_eq!(Class::of(path), class, "{path}");
        }
    }
}
