//! `/_matrix/key/v2`: our key document, and others' documents as a notary. Answered here, the host is not asked.

use std::{collections::BTreeMap, sync::Arc};

use axum::Router;
use futures_util::{StreamExt as _, stream};
use ruma::{
    CanonicalJsonObject, MilliSecondsSinceUnixEpoch, OwnedServerName,
    api::federation::discovery::{
        ServerSigningKeys, get_remote_server_keys, get_remote_server_keys_batch, get_server_keys,
    },
    serde::Raw,
};

use super::{Reception, Refusal, routes::public};
use crate::clock::to_ts;

/// Servers that may be asked for in one notary request.
const QUERIED_SERVERS_MAX: usize = 100;
const FETCHES_AT_ONCE: usize = 16;

pub(super) fn routes(routes: Router<Arc<Reception>>) -> Router<Arc<Reception>> {
    let routes = public::<get_server_keys::v2::Request, _, _>(routes, async |reception, _| {
        reception.our_document().map(get_server_keys::v2::Response::new)
    });
    let routes = public(routes, async |reception, request: get_remote_server_keys::v2::Request| {
        let minimum = request.minimum_valid_until_ts;
        let found = reception.documents([(request.server_name, minimum)]).await?;
        Ok(get_remote_server_keys::v2::Response::new(found))
    });
    public(routes, async |reception, request: get_remote_server_keys_batch::v2::Request| {
        let now = to_ts(reception.tools.clock.now());
        if request.server_keys.len() > QUERIED_SERVERS_MAX {
            let message = format!("at most {QUERIED_SERVERS_MAX} servers in one query");
            return Err(Refusal::too_large(message));
        }
        let wanted: BTreeMap<_, _> = request
            .server_keys
            .into_iter()
            .map(|(server, criteria)| {
                let asked = criteria.values().filter_map(|one| one.minimum_valid_until_ts);
                (server, asked.max().unwrap_or(now))
            })
            .collect();
        let found = reception.documents(wanted).await?;
        Ok(get_remote_server_keys_batch::v2::Response::new(found))
    })
}

impl Reception {
    fn our_document(&self) -> Result<Raw<ServerSigningKeys>, Refusal> {
        let tools = &self.tools;
        tools.signing_key.key_document(&tools.server_name, tools.clock.now()).map_err(|error| {
            tracing::error!(%error, "our key document could not be made");
            Refusal::internal()
        })
    }

    /// The documents of the servers that have one, each with our signature added.
    async fn documents(
        &self,
        wanted: impl IntoIterator<Item = (OwnedServerName, MilliSecondsSinceUnixEpoch)>,
    ) -> Result<Vec<Raw<ServerSigningKeys>>, Refusal> {
        let wanted: Vec<_> = wanted.into_iter().collect();
        let found = stream::iter(wanted)
            .map(async |(server, minimum)| self.document(&server, minimum).await)
            .buffer_unordered(FETCHES_AT_ONCE);
        Ok(found.filter_map(async |document| document).collect().await)
    }

    async fn document(
        &self,
        server: &ruma::ServerName,
        minimum: MilliSecondsSinceUnixEpoch,
    ) -> Option<Raw<ServerSigningKeys>> {
        if *server == *self.tools.server_name {
            return self.our_document().ok();
        }
        let document = self.tools.key_ring.document(server, minimum).await.ok()?;
        let mut object: CanonicalJsonObject = serde_json::from_str(document.json().get()).ok()?;
        self.tools.signing_key.sign_json(&self.tools.server_name, &mut object).ok()?;
        Some(Raw::new(&object).ok()?.cast_unchecked())
    }
}
