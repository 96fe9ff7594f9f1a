//! Sliding sync over HTTP: as deployed (`org.matrix.simplified_msc3575`), and as accepted (`/v4/sync`).

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use memchr::memmem;
use serde::Deserialize;
use serde_json::{Value, json};
use tern_testkit::encode;

use crate::{
    client::{Answer, Client, read},
    figures::{Line, timed},
    matrix::{self, POLL, Person},
    measure::{Meter, drive},
    site::{Site, turn},
};

/// How a request is written, and where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Deployed,
    Stable,
}

impl Form {
    fn path(self) -> &'static str {
        match self {
            Self::Deployed => "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync",
            Self::Stable => "/_matrix/client/v4/sync",
        }
    }

    /// What is asked for on the connection `id`: the `rooms` rooms that were active last, 10 events each, the name and the own member.
    pub(super) fn body(self, person: &Person, rooms: usize, id: &str) -> Value {
        let range = [0, rooms.saturating_sub(1)];
        let list = match self {
            Self::Deployed => json!({
                "ranges": [range],
                "timeline_limit": 10,
                "required_state": [["m.room.name", ""], ["m.room.member", "$ME"]],
            }),
            Self::Stable => json!({
                "range": range,
                "timeline_limit": 10,
                "required_state": { "include": [
                    { "type": "m.room.name", "state_key": "" },
                    { "type": "m.room.member", "state_key": person.id },
                ] },
            }),
        };
        json!({ "conn_id": id, "lists": { "all": list } })
    }

    /// Whether the server has it.
    pub(super) async fn is_offered(self, mut client: Client) -> Result<bool> {
        Ok(is_known(&client.post(&None, self.path(), &json!({})).await?))
    }
}

/// Whether this answer to a request without a token is one of a server that has what was asked for.
fn is_known(answer: &Answer) -> bool {
    #[derive(Deserialize)]
    struct Refused {
        errcode: String,
    }
    let refused = read::<Refused>(&answer.body);
    let is_unknown = refused.is_ok_and(|refused| refused.errcode == "M_UNRECOGNIZED");
    !is_unknown && !matches!(answer.status, 404 | 405)
}

/// One connection of sliding sync.
struct Connection<'a> {
    form: Form,
    client: Client,
    person: &'a Person,
    body: Value,
    pos: String,
}

impl<'a> Connection<'a> {
    /// Not opened yet: the first look opens it.
    fn new(form: Form, client: Client, person: &'a Person, rooms: usize, id: &str) -> Self {
        let body = form.body(person, rooms, id);
        Self { form, client, person, body, pos: String::new() }
    }

    /// Forgets its place, so that the next look begins anew.
    fn restart(&mut self) {
        self.pos.clear();
        if let Some(fields) = self.body.as_object_mut() {
            fields.remove("pos");
            fields.remove("timeout");
        }
    }

    /// One request; gives its answer and how long it took.
    async fn look(&mut self) -> Result<(Duration, Bytes)> {
        #[derive(Deserialize)]
        struct Looked {
            pos: String,
        }
        let path = self.form.path();
        let path = match (self.form, self.pos.as_str()) {
            (Form::Stable, _) | (_, "") => path.to_owned(),
            (Form::Deployed, pos) => {
                format!("{path}?timeout={}&pos={}", POLL.as_millis(), encode(pos))
            }
        };
        let began = Instant::now();
        let answer = self.client.post(&self.person.bearer, &path, &self.body).await?;
        let took = began.elapsed();
        let body = answer.ok().context("sliding sync")?;
        self.pos = read::<Looked>(&body)?.pos;
        if self.form == Form::Stable
            && let Some(fields) = self.body.as_object_mut()
        {
            fields.insert("pos".to_owned(), json!(self.pos));
            fields.insert("timeout".to_owned(), json!(POLL.as_secs() * 1000));
        }
        Ok((took, body))
    }

    /// Looks until an answer holds `mark`; gives how long all looks took.
    async fn until(&mut self, mark: &str) -> Result<Duration> {
        let mut whole = Duration::ZERO;
        loop {
            let (took, body) = self.look().await?;
            whole += took;
            if memmem::find(&body, mark.as_bytes()).is_some() {
                return Ok(whole);
            }
        }
    }
}

/// Whether the first answer, at `pointer` in `body`, shows each of `rooms` rooms.
pub(super) fn ensure_all_shown(body: &[u8], pointer: &str, rooms: usize) -> Result<()> {
    let body: Value = read(body)?;
    let shown = body.pointer(pointer).and_then(Value::as_object).context("no rooms")?;
    ensure!(shown.len() == rooms, "{} rooms came, not {rooms}", shown.len());
    Ok(())
}

/// New connections, one after the other.
pub(super) async fn initial(site: &mut Site, form: Form) -> Result<Vec<Line>> {
    let village = site.village().await?;
    let rooms = village.rooms.len();
    let mut connections = Vec::new();
    for person in &village.people {
        let mut connection = Connection::new(form, site.server.client(), person, rooms, "bench");
        let (_, body) = connection.look().await?;
        ensure_all_shown(&body, "/rooms", rooms)?;
        connections.push(connection);
    }
    let pids = site.server.pids();
    let meter = Meter::start(&pids)?;
    // One worker that goes round all connections, so that one looks at a time.
    let mut workers = [connections];
    let samples = drive(site.plan.in_turn(), &mut workers, async |connections, number| {
        let index = number % connections.len().max(1);
        let connection = connections.get_mut(index).context("no connection")?;
        connection.restart();
        Ok(connection.look().await?.0)
    });
    timed(samples.await?, &meter.stop()?, &pids)
}

/// Looks that bring one message each. Everybody reads a message before the next is sent, so that little of the cost is the sending.
pub(super) async fn incremental(site: &mut Site, form: Form) -> Result<Vec<Line>> {
    let village = site.village().await?;
    let (sender, others) = village.people.split_first().context("nobody")?;
    let mut readers = Vec::new();
    for person in others {
        let client = site.server.client();
        let mut reader = Connection::new(form, client, person, village.rooms.len(), "incremental");
        reader.look().await?;
        readers.push(reader);
    }
    let pids = site.server.pids();
    let meter = Meter::start(&pids)?;
    let mut workers = [(site.server.client(), readers)];
    let samples = drive(site.plan.in_turn(), &mut workers, async |(client, readers), number| {
        let (message, reader) = (number / others.len(), number % others.len());
        let mark = format!("sliding number {message}.");
        if reader == 0 {
            let room = turn(&village.rooms, message)?;
            matrix::send(client, sender, room, matrix::text(&mark)).await?;
        }
        readers.get_mut(reader).context("no reader")?.until(&mark).await
    });
    timed(samples.await?, &meter.stop()?, &pids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, body: &'static str, expected: bool) {
        let answer = Answer { status, body: Bytes::from_static(body.as_bytes()) };

        assert_eq!(is_known(&answer), expected, "{status} {body}");
    }

    #[test]
    fn a_server_that_asks_for_a_token_has_it_and_one_that_does_not_know_the_path_has_not() {
        check(401, r#"{ "errcode": "M_MISSING_TOKEN", "error": "Missing access token" }"#, true);
        check(404, r#"{ "errcode": "M_UNRECOGNIZED", "error": "Unrecognized request" }"#, false);
        check(400, r#"{ "errcode": "M_UNRECOGNIZED", "error": "Unrecognized request" }"#, false);
        check(404, "Not found", false);
        check(405, "", false);
    }

    #[test]
    fn both_forms_ask_for_the_same() {
        let person = Person { id: "@alice:example.org".to_owned(), bearer: None };

        let deployed = Form::Deployed.body(&person, 20, "bench");
        let stable = Form::Stable.body(&person, 20, "bench");

        assert_eq!(deployed.pointer("/lists/all/ranges/0"), stable.pointer("/lists/all/range"));
        assert_eq!(stable.pointer("/lists/all/range"), Some(&json!([0, 19])));
        let own = "/lists/all/required_state/include/1/state_key";
        assert_eq!(stable.pointer(own), Some(&json!(person.id)));
    }
}
