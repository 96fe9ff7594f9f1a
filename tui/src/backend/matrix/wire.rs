//! Small JSON calls made before there is a session: discovery, registration, password reset.
//!
//! The SDK wants a store and a homeserver first; these calls need neither, and their answers (UIA, `submit_url`) are read
//! loosely because every server adds something of its own.

use std::time::Duration;

use serde_json::Value;
use url::Url;

const TIMEOUT: Duration = Duration::from_secs(15);
/// No honest answer to these calls comes near this many bytes.
const MAX_BODY: usize = 1024 * 1024;

/// An answer of a homeserver that is not the expected 200.
#[derive(Debug, Clone, Default)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) errcode: Option<String>,
    pub(super) error: Option<String>,
    pub(super) retry_after_ms: Option<u64>,
    pub(super) body: Value,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    #[error("the server could not be reached")]
    Unreachable(#[source] reqwest::Error),
    #[error("the answer is not Matrix")]
    NotMatrix,
    #[error("the server refused")]
    Refused(Box<Refusal>),
}

impl WireError {
    /// What happened and what to do next, in words.
    pub(super) fn explain(&self) -> String {
        match self {
            WireError::Unreachable(error) if error.is_timeout() => {
                "The server took too long to answer. Try again in a moment.".to_owned()
            }
            WireError::Unreachable(_) => {
                "The server can't be reached. Check the address and your connection.".to_owned()
            }
            WireError::NotMatrix => {
                "What answered there is not a Matrix homeserver. Check the address.".to_owned()
            }
            WireError::Refused(refusal) => refusal.explain(),
        }
    }
}

impl Refusal {
    pub(super) fn is(&self, errcode: &str) -> bool {
        self.errcode.as_deref() == Some(errcode)
    }

    pub(super) fn explain(&self) -> String {
        let known = match self.errcode.as_deref() {
            Some("M_USER_IN_USE") => "That username is taken. Choose another.",
            Some("M_INVALID_USERNAME") => {
                "That username can't be used. Use small letters, digits and the signs ._-=/ only."
            }
            Some("M_EXCLUSIVE") => "That username is reserved. Choose another.",
            Some("M_WEAK_PASSWORD") => {
                "The server finds that password too weak. Choose a longer one."
            }
            Some("M_THREEPID_IN_USE") => {
                "That email address has an account already. Log in, or reset its password."
            }
            Some("M_THREEPID_NOT_FOUND") => {
                "No account uses that email address. Check it, or register."
            }
            Some("M_THREEPID_DENIED") => {
                "This server does not accept that email address. Use another."
            }
            Some("M_INVALID_PARAM" | "M_INVALID_EMAIL") if self.error.is_none() => {
                "The server did not accept that. Check what you typed."
            }
            Some("M_THREEPID_AUTH_FAILED") => {
                "The server does not take this mail as proof. Ask for a new one."
            }
            Some("M_USER_DEACTIVATED") => {
                "That account has been closed. Use another, or register a new one."
            }
            Some("M_TOKEN_EXPIRED") => "That code has expired. Ask for a new one.",
            Some("M_LIMIT_EXCEEDED") => return self.explain_limit(),
            _ => "",
        };
        if !known.is_empty() {
            return known.to_owned();
        }
        match &self.error {
            Some(error) if !error.is_empty() => {
                format!(
                    "The server says: {}. Check what you typed and try again.",
                    error.trim_end_matches('.')
                )
            }
            _ => format!("The server refused (HTTP {}). Try again later.", self.status),
        }
    }

    fn explain_limit(&self) -> String {
        match self.retry_after_ms {
            Some(ms) => {
                format!("Too many tries. Try again in {} seconds.", ms.div_ceil(1000).max(1))
            }
            None => "Too many tries. Try again in a minute.".to_owned(),
        }
    }
}

/// `GET url`, JSON back.
pub(super) async fn get(http: &reqwest::Client, url: Url) -> Result<Value, WireError> {
    answer(http.get(url).timeout(TIMEOUT)).await
}

/// `POST url` with a JSON body, JSON back.
pub(super) async fn post(
    http: &reqwest::Client,
    url: Url,
    body: &Value,
) -> Result<Value, WireError> {
    answer(http.post(url).timeout(TIMEOUT).json(body)).await
}

async fn answer(request: reqwest::RequestBuilder) -> Result<Value, WireError> {
    let mut response = request.send().await.map_err(WireError::Unreachable)?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(WireError::Unreachable)? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(WireError::NotMatrix);
        }
        body.extend_from_slice(&chunk);
    }
    let json = serde_json::from_slice::<Value>(&body);
    if status.is_success() {
        return json.map_err(|_| WireError::NotMatrix);
    }
    let body = json.unwrap_or(Value::Null);
    let text = |key: &str| body.get(key).and_then(Value::as_str).map(str::to_owned);
    Err(WireError::Refused(Box::new(Refusal {
        status: status.as_u16(),
        errcode: text("errcode"),
        error: text("error"),
        retry_after_ms: body.get("retry_after_ms").and_then(Value::as_u64),
        body,
    })))
}

/// `base` + a path of segments, each escaped as needed; `None` only for URLs that cannot be a base.
pub(super) fn endpoint(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let prefix = base.path().trim_end_matches('/');
    url.set_path(&format!("{prefix}{path}"));
    url.set_query(None);
    url.set_fragment(None);
    url
}
