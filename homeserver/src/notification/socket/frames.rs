//! The frames of `chat.tern.socket` as JSON; errors are the door's to write.

use bytes::Bytes;
use ruma::{DeviceId, UserId};
use serde::{Deserialize, Serialize};

use super::{FRAME_BYTES_MAX, Limits, Why};
use crate::notification::{SlidingAnswer, wire::stable};

/// A frame from the client. Not `Debug`: there are tokens in it.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ClientFrame {
    /// The first frame.
    Open { access_token: Option<String>, id: Option<String>, request: Option<Box<stable::Body>> },
    /// From now on this is wanted.
    Request { id: Option<String>, request: Box<stable::Body> },
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
