//! A cheap HTTP/1.1 client: one keep-alive connection, no pool, no redirects, no decompression.
//!
//! It shares the machine with the server it measures, so what it does not do matters.

mod address;
mod socket;

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, anyhow, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, client::conn::http1::SendRequest, header::AUTHORIZATION, header::CONTENT_TYPE,
    header::HOST, header::HeaderValue,
};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::timeout;

pub(crate) use address::{Address, Trust};
pub(crate) use socket::{Delta, Socket, Stream, all_rooms};

/// How long an answer may take before a run fails: longer than any long poll here.
const PATIENCE: Duration = Duration::from_secs(400);

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

impl Answer {
    /// The body of a 200.
    pub(crate) fn ok(self) -> Result<Bytes> {
        let text = || String::from_utf8_lossy(self.body.get(..400).unwrap_or(&self.body));
        ensure!(self.status == 200, "the server answered {}: {}", self.status, text());
        Ok(self.body)
    }
}

/// Reads a JSON body, only the fields that `T` has.
pub(crate) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T> {
    serde_json::from_slice(body).with_context(|| {
        let start = body.get(..400).unwrap_or(body);
        format!("unexpected answer: {}", String::from_utf8_lossy(start))
    })
}

/// The `Authorization` header of a logged-in client; none of a logged-out one.
pub(crate) type Bearer = Option<HeaderValue>;

/// One connection, opened when first used and again when the server closed it.
#[derive(Debug)]
pub(crate) struct Client {
    address: Arc<Address>,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    pub(crate) fn new(address: &Arc<Address>) -> Self {
        Self { address: Arc::clone(address), sender: None }
    }

    /// Where it connects to.
    pub(crate) fn address(&self) -> &Arc<Address> {
        &self.address
    }

    /// `count` of them.
    pub(crate) fn many(address: &Arc<Address>, count: usize) -> Vec<Self> {
        (0..count).map(|_| Self::new(address)).collect()
    }

    pub(crate) async fn get(&mut self, bearer: &Bearer, path: &str) -> Result<Answer> {
        self.call(Method::GET, bearer, path, Bytes::new()).await
    }

    pub(crate) async fn post(
        &mut self,
        bearer: &Bearer,
        path: &str,
        body: &Value,
    ) -> Result<Answer> {
        self.call(Method::POST, bearer, path, body.to_string().into()).await
    }

    pub(crate) async fn put(&mut self, bearer: &Bearer, path: &str, body: Bytes) -> Result<Answer> {
        self.call(Method::PUT, bearer, path, body).await
    }

    async fn call(
        &mut self,
        method: Method,
        bearer: &Bearer,
        path: &str,
        body: Bytes,
    ) -> Result<Answer> {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(headers) = request.headers_mut() {
            headers.insert(HOST, self.address.host().clone());
            if let Some(bearer) = bearer {
                headers.insert(AUTHORIZATION, bearer.clone());
            }
            if !body.is_empty() {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            }
        }
        let request = request.body(Full::new(body))?;
        // A body of no operation here is large, so a copy for the second try costs little: the bytes are shared.
        let answer = timeout(PATIENCE, self.exchange(request));
        answer.await.map_err(|_| anyhow!("no answer within {PATIENCE:?}"))?
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Answer> {
        let mut tried_again = false;
        loop {
            let is_new = self.connect().await?;
            let sender = self.sender.as_mut().context("no connection")?;
            match sender.send_request(request.clone()).await {
                Ok(response) => {
                    let status = response.status().as_u16();
                    let body = response.into_body().collect().await?.to_bytes();
                    return Ok(Answer { status, body });
                }
                // The server closed an idle connection while the request was on its way; a fresh one does not do that.
                Err(_) if !is_new && !tried_again => tried_again = true,
                Err(error) => return Err(error).context("the connection broke"),
            }
            self.sender = None;
        }
    }

    /// Opens the connection before it is used.
    pub(crate) async fn open(&mut self) -> Result<()> {
        self.connect().await?;
        Ok(())
    }

    /// Opens the connection if there is none; says whether it did.
    async fn connect(&mut self) -> Result<bool> {
        if let Some(sender) = &mut self.sender
            && sender.ready().await.is_ok()
        {
            return Ok(false);
        }
        self.sender = Some(self.address.connect().await?);
        Ok(true)
    }
}
