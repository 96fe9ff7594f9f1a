//! The door to searching.
//! Spec: <https://spec.matrix.org/v1.19/client-server-api/#server-side-search>.

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
};
use ruma::api::client::search::search_events::v3::{
    Criteria as AskedCriteria, GroupingKey, OrderBy as AskedOrder, Request, SearchKeys,
};
use serde_json::{Value, json};

use crate::{
    auth::Requester,
    gateway::{ApiError, MatrixAndBody, MatrixRoutes, Server},
    messaging::{
        Engine,
        search::{self, Around, Criteria, GroupBy, OrderBy},
    },
    storage::search::Fields,
};

pub(in crate::gateway) fn routes() -> Router<Server> {
    Router::new().serve::<Request, _, _>(search)
}

/// `POST /_matrix/client/v3/search`
async fn search(
    State(engine): State<Engine>,
    requester: Requester,
    MatrixAndBody(request, body): MatrixAndBody<Request>,
) -> Result<Response, ApiError> {
    let Some(asked) = request.search_categories.room_events else {
        return Ok(Json(json!({ "search_categories": {} })).into_response());
    };
    // ruma reads a missing context as one of the default size; it means none.
    let body: Value = serde_json::from_slice(&body).map_err(ApiError::bad_json)?;
    let with_context = body.pointer("/search_categories/room_events/event_context").is_some();
    let criteria = criteria(asked, with_context, request.next_batch)?;
    let results = search::search(&engine, &requester, &criteria).await?;
    Ok(Json(json!({ "search_categories": { "room_events": results } })).into_response())
}

fn criteria(
    asked: AskedCriteria,
    with_context: bool,
    from: Option<String>,
) -> Result<Criteria, ApiError> {
    let context = &asked.event_context;
    let around = with_context.then(|| Around {
        before: u64::from(context.before_limit),
        after: u64::from(context.after_limit),
        profiles: context.include_profile,
    });
    let has = |key: &SearchKeys| asked.keys.as_ref().is_none_or(|keys| keys.contains(key));
    let fields = Fields {
        body: has(&SearchKeys::ContentBody),
        name: has(&SearchKeys::ContentName),
        topic: has(&SearchKeys::ContentTopic),
    };
    let order_by = match asked.order_by {
        None | Some(AskedOrder::Rank) => OrderBy::Rank,
        Some(AskedOrder::Recent) => OrderBy::Recent,
        Some(_) => return Err(ApiError::invalid_param("`order_by` is `rank` or `recent`")),
    };
    let keys = asked.groupings.group_by.iter().filter_map(|grouping| grouping.key.as_ref());
    let group_by = keys.filter_map(|key| match key {
        GroupingKey::RoomId => Some(GroupBy::Room),
        GroupingKey::Sender => Some(GroupBy::Sender),
        _ => None,
    });
    Ok(Criteria {
        term: asked.search_term,
        fields,
        group_by: group_by.collect(),
        filter: asked.filter,
        order_by,
        around,
        include_state: asked.include_state.unwrap_or_default(),
        from,
    })
}
