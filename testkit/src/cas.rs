//! Somebody who vouches for people: a CAS server for single sign-on, and the browser of a person who uses it.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use axum::{
    Router,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use tokio::{net::TcpListener, task::JoinHandle};
use url::Url;

use crate::loopback::Loopback;

/// The ticket it gives out, and takes.
const TICKET: &str = "ST-1-only-for-a-test";

/// A CAS server that knows one person, who is logged in at it already. Dropping it closes its port.
#[derive(Debug)]
pub struct Cas {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Cas {
    /// What is written on the way to it.
    pub const NAME: &str = "The Rowing Club";

    /// One that says of everybody that they are `user`.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(user: &str) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let router = Router::new()
            .route("/login", get(login))
            .route("/proxyValidate", get(validate))
            .with_state(user.to_owned());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap_or(()) });
        Ok(Self { address, task })
    }

    /// Where it answers.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Cas {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Words = Query<Vec<(String, String)>>;

fn word<'a>(words: &'a Words, name: &str) -> Option<&'a str> {
    words.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

async fn login(words: Words) -> Response {
    let Some(mut service) = word(&words, "service").and_then(|text| Url::parse(text).ok()) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    service.query_pairs_mut().append_pair("ticket", TICKET);
    Redirect::to(service.as_str()).into_response()
}

async fn validate(State(user): State<String>, words: Words) -> Response {
    let verdict = if word(&words, "ticket") == Some(TICKET) {
        format!(
            "<cas:authenticationSuccess><cas:user>{user}</cas:user></cas:authenticationSuccess>"
        )
    } else {
        "<cas:authenticationFailure code='INVALID_TICKET'>no</cas:authenticationFailure>".to_owned()
    };
    let space = "http://www.yale.edu/tp/cas";
    format!("<cas:serviceResponse xmlns:cas='{space}'>{verdict}</cas:serviceResponse>")
        .into_response()
}

impl Loopback {
    /// What a browser does that opens the address of a login: it follows where it is led, and its person presses “Continue” on the
    /// page that asks. Gives the address that this leads to, which is not opened.
    ///
    /// # Errors
    /// When there is no such page.
    pub async fn log_in_in_browser(&self, address: &str) -> Result<String> {
        let page = self.http_client()?.get(address).send().await?.error_for_status()?;
        let page = page.text().await?;
        let (before, after) =
            page.split_once("loginToken=").with_context(|| format!("no token in {page}"))?;
        let (_, before) = before.rsplit_once('"').context("no address in quotes")?;
        let (after, _) = after.split_once('"').context("no end of the address")?;
        Ok(format!("{before}loginToken={after}").replace("&amp;", "&"))
    }
}
