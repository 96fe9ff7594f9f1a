//! The frames of `chat.tern.socket` as JSON; errors are the door's to write.

use bytes::Bytes;
use ruma::{DeviceId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{FRAME_BYTES_MAX, Limits, Why};
use crate::notification::{
    Error, SlidingAnswer, SlidingRequest,
    wire::{deployed, stable},
};

/// A frame from the client. Not `Debug`: there are tokens in it.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ClientFrame {
    /// The first frame.
    Open {
        access_token: Option<String>,
        id: Option<String>,
        #[serde(default)]
        form: Form,
        request: Option<Value>,
    },
    /// From now on this is wanted.
    Request {
        id: Option<String>,
        #[serde(default)]
        form: Form,
        request: Value,
    },
    /// The delta with this `pos` has been dealt with.
    Ack { pos: String },
    /// The session goes on under a new access token.
    Auth { access_token: String },
    #[serde(other)]
    Unknown,
}

impl ClientFrame {
    pub(super) fn parse(text: &[u8]) -> Result<Self, Why> {
        serde_json::from_slice(text).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => Why::BadJson(error.to_string()),
            _ => Why::NotJson(error.to_string()),
        })
    }
}

/// How a request is written, and the deltas that answer it.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub(super) enum Form {
    /// As at `/v4/sync`.
    #[default]
    #[serde(rename = "v4")]
    Stable,
    /// As at the path with this in it, with what stands in the query there in the body.
    #[serde(rename = "org.matrix.simplified_msc3575")]
    Deployed,
}

/// A request that is written as its form has it.
pub(super) enum Asked {
    Stable(Box<stable::Body>),
    Deployed(Box<SlidingRequest>),
}

impl Asked {
    pub(super) fn read(form: Form, request: Value) -> Result<Self, Why> {
        let read = match form {
            Form::Stable => serde_json::from_value(request).map(Self::Stable),
            Form::Deployed => deployed::read(request).map(Box::new).map(Self::Deployed),
        };
        read.map_err(|error| Why::BadJson(error.to_string()))
    }

    pub(super) fn into_request(self, me: &UserId) -> Result<SlidingRequest, Error> {
        match self {
            Self::Stable(body) => body.into_request(me),
            Self::Deployed(request) => Ok(*request),
        }
    }
}

/// A frame to the client.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ServerFrame<'a> {
    /// The client is who it says.
    Opened { user_id: &'a UserId, device_id: &'a DeviceId, limits: ToldLimits },
    /// What is new.
    Delta {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        response: &'a SlidingAnswer,
    },
}

/// The limits a client must know to keep to them.
#[derive(Serialize)]
pub(super) struct ToldLimits {
    frame_bytes: usize,
    unacknowledged: usize,
    ack_ms: u64,
    ping_ms: u64,
}

impl From<&Limits> for ToldLimits {
    fn from(limits: &Limits) -> Self {
        let millis =
            |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            frame_bytes: FRAME_BYTES_MAX,
            unacknowledged: 1,
            ack_ms: millis(limits.acknowledge),
            ping_ms: millis(limits.ping),
        }
    }
}

impl ServerFrame<'_> {
    pub(super) fn to_text(&self) -> Result<Bytes, serde_json::Error> {
        serde_json::to_vec(self).map(Bytes::from)
    }
}

#[cfg(test)]
mod tests {
    use super::{ClientFrame, Why};

    #[test]
    fn frames_are_read_or_refused() {
        let parse = |text: &str| ClientFrame::parse(text.as_bytes());
        assert!(
            matches!(parse(r#"{"type":"ack","pos":"1"}"#), Ok(ClientFrame::Ack { pos }) if pos == "1")
        );
        assert!(matches!(
            parse(r#"{"type":"open"}"#),
            Ok(ClientFrame::Open { access_token: None, .. })
        ));
        assert!(matches!(parse(r#"{"type":"later","x":1}"#), Ok(ClientFrame::Unknown)));
        assert!(matches!(parse(r#"{"type":"ack"}"#), Err(Why::BadJson(_))));
        assert!(matches!(parse(r#"{"pos":"1"}"#), Err(Why::BadJson(_))));
        assert!(matches!(parse("ack"), Err(Why::NotJson(_))));
        assert!(matches!(parse(r#"{"type":"#), Err(Why::NotJson(_))));
    }
}
