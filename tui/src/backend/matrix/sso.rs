//! Logging in in a browser: single sign-on (client-server API, "Client login via SSO").
//!
//! The server sends the browser back to an address of this machine, with a token for one login in it. A browser on this machine
//! opens that address and so brings the token. One on another machine can't: its user copies the address, and tern takes the token
//! out of it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use axum::{
    Router,
    http::{StatusCode, Uri, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use rand::distr::{Alphanumeric, SampleString};
use tokio::{net::TcpListener, sync::mpsc, task::AbortHandle};
use url::{Url, form_urlencoded};

use super::{refused::Refused, wire};
use crate::backend::{About, Secret};

const REDIRECT: &str = "/_matrix/client/v3/login/sso/redirect";
/// Where the browser is sent where nothing can be listened at: nobody answers there.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

/// What the browser brought.
pub(super) struct Arrived {
    /// Of which login.
    pub(super) state: String,
    pub(super) token: Secret,
}

/// A login in a browser that is under way. Nothing listens any more when it is dropped.
pub(super) struct SsoLogin {
    /// To be opened in a browser.
    pub(super) url: Url,
    /// Nobody else knows it, so what comes with it comes of this login.
    state: String,
    listening: Option<AbortHandle>,
}

impl Drop for SsoLogin {
    fn drop(&mut self) {
        if let Some(listening) = &self.listening {
            listening.abort();
        }
    }
}

impl SsoLogin {
    /// Listens on loopback, and makes the address to open. What the browser brings goes to `arrivals`.
    pub(super) async fn start(
        base: &Url,
        provider: Option<&str>,
        arrivals: mpsc::UnboundedSender<Arrived>,
    ) -> Self {
        let state = Alphanumeric.sample_string(&mut rand::rng(), 24);
        let (back_to, listening) = match listen(&state, arrivals).await {
            Ok((address, listening)) => (address, Some(listening)),
            Err(error) => {
                tracing::warn!(%error, "nothing can be listened at for the browser");
                (NOWHERE, None)
            }
        };
        let url = redirect(base, provider, &format!("http://{back_to}/?state={state}"));
        Self { url, state, listening }
    }

    /// Whether something came of this login.
    pub(super) fn is_of(&self, arrived: &Arrived) -> bool {
        self.state == arrived.state
    }

    /// The token in what was pasted: an address with it, or itself.
    pub(super) fn token(&self, pasted: &str) -> Result<Secret, Refused> {
        let pasted = pasted.trim();
        let refuse = |reason: &str| Err(Refused::about(About::LoginToken, reason));
        let (state, token) = state_and_token(pasted);
        match (state, token) {
            (Some(state), Some(_)) if state != self.state => refuse(
                "That address is of another login. Open the one above and paste what comes of it.",
            ),
            (_, Some(token)) => Ok(Secret(token)),
            (_, None) if pasted.contains(char::is_whitespace) || pasted.contains("://") => refuse(
                "There is no login token in that. Log in in the browser, then paste the address of its last page.",
            ),
            (_, None) => Ok(Secret(pasted.to_owned())),
        }
    }
}

/// The address that leads to the provider, and from there back to `back_to`.
fn redirect(base: &Url, provider: Option<&str>, back_to: &str) -> Url {
    let mut url = wire::endpoint(base, REDIRECT);
    if let (Some(provider), Ok(mut path)) = (provider, url.path_segments_mut()) {
        path.push(provider);
    }
    url.query_pairs_mut().append_pair("redirectUrl", back_to);
    url
}

/// What stands in the query of an address, or in a query alone.
fn state_and_token(text: &str) -> (Option<String>, Option<String>) {
    let query = text.split_once('?').map_or(text, |(_, query)| query);
    let query = query.split('#').next().unwrap_or_default();
    let (mut state, mut token) = (None, None);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "state" => state = Some(value.into_owned()),
            "loginToken" if !value.is_empty() => token = Some(value.into_owned()),
            _ => {}
        }
    }
    (state, token)
}

/// Answers a browser on this machine.
async fn listen(
    state: &str,
    arrivals: mpsc::UnboundedSender<Arrived>,
) -> std::io::Result<(SocketAddr, AbortHandle)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let wanted: Arc<str> = state.into();
    let answer = move |uri: Uri| {
        let (wanted, arrivals) = (wanted.clone(), arrivals.clone());
        async move { take(&uri, &wanted, &arrivals) }
    };
    let serving = axum::serve(listener, Router::new().route("/", get(answer)));
    let task = tokio::spawn(async move {
        if let Err(error) = serving.await {
            tracing::warn!(%error, "nothing listens for the browser any more");
        }
    });
    Ok((address, task.abort_handle()))
}

const CAME_BACK: &str = "<!doctype html><meta charset=utf-8><title>Tern</title><p>Tern goes on in its terminal. You can close this page.";
const NOT_OURS: &str = "<!doctype html><meta charset=utf-8><title>Tern</title><p>This is not the login that Tern waits for. Open the address that it shows.";

fn take(uri: &Uri, wanted: &str, arrivals: &mpsc::UnboundedSender<Arrived>) -> Response {
    let (state, token) = state_and_token(uri.query().unwrap_or_default());
    let ours = token.filter(|_| state.as_deref() == Some(wanted));
    let (status, page) = match ours {
        Some(token) => {
            let arrived = Arrived { state: wanted.to_owned(), token: Secret(token) };
            if arrivals.send(arrived).is_err() {
                tracing::debug!("a login came back while the client ended");
            }
            (StatusCode::OK, CAME_BACK)
        }
        None => (StatusCode::BAD_REQUEST, NOT_OURS),
    };
    // The address has the token in it: no cache keeps it, and no other site is told.
    let headers = [(header::CACHE_CONTROL, "no-store"), (header::REFERRER_POLICY, "no-referrer")];
    (status, headers, Html(page)).into_response()
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;
    use url::Url;

    use super::{SsoLogin, redirect};
    use crate::backend::matrix::errors::tests::assert_ends_in_a_next_step;

    async fn login() -> (SsoLogin, mpsc::UnboundedReceiver<super::Arrived>) {
        let (sender, arrivals) = mpsc::unbounded_channel();
        let base = Url::parse("https://matrix.example.org").unwrap();
        (SsoLogin::start(&base, Some("cas"), sender).await, arrivals)
    }

    /// Where the browser is sent back to.
    fn back_to(login: &SsoLogin) -> Url {
        let (_, address) = login.url.query_pairs().find(|(name, _)| name == "redirectUrl").unwrap();
        Url::parse(&address).unwrap()
    }

    #[test]
    fn the_address_names_provider_and_way_back() {
        let base = Url::parse("https://example.org/matrix/").unwrap();
        let url = redirect(&base, Some("a/b"), "http://127.0.0.1:1/?state=x");
        assert_eq!(
            url.as_str(),
            "https://example.org/matrix/_matrix/client/v3/login/sso/redirect/a%2Fb?redirectUrl=http%3A%2F%2F127.0.0.1%3A1%2F%3Fstate%3Dx"
        );
        let url = redirect(&base, None, "x");
        assert!(url.path().ends_with("/login/sso/redirect"));
    }

    #[tokio::test]
    async fn the_token_is_found_in_what_people_paste() {
        let (login, _arrivals) = login().await;
        let back = back_to(&login);
        for pasted in [
            format!("{back}&loginToken=syl_secret"),
            format!(" {back}&loginToken=syl_secret#top \n"),
            "http://127.0.0.1:1/?loginToken=syl_secret".to_owned(),
            "loginToken=syl_secret".to_owned(),
            "syl_secret".to_owned(),
        ] {
            let token = login.token(&pasted).unwrap_or_else(|refused| panic!("{refused:?}"));
            assert_eq!(token.0, "syl_secret", "{pasted}");
        }
        for wrong in [
            "http://127.0.0.1:1/?state=another&loginToken=syl_secret",
            "https://example.org/some/page",
            "some words",
        ] {
            let refused = login.token(wrong).err().unwrap();
            assert_ends_in_a_next_step(&refused.reason);
        }
    }

    #[tokio::test]
    async fn only_this_logins_browser_is_listened_to() {
        crate::backend::matrix::http::install_crypto_provider();
        let (login, mut arrivals) = login().await;
        let back = back_to(&login);
        let mut stranger = back.clone();
        stranger.set_query(Some("state=another&loginToken=stolen"));
        assert_eq!(reqwest::get(stranger).await.unwrap().status(), 400);
        assert_eq!(reqwest::get(back.clone()).await.unwrap().status(), 400);
        let page = reqwest::get(format!("{back}&loginToken=syl_secret")).await.unwrap();
        assert_eq!(page.status(), 200);
        assert!(!page.text().await.unwrap().contains("syl_secret"));
        let arrived = arrivals.recv().await.unwrap();
        assert!(login.is_of(&arrived));
        assert_eq!(arrived.token.0, "syl_secret");
        assert!(arrivals.try_recv().is_err(), "nothing else was taken");
    }
}
