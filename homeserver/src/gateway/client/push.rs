//! The door of push rules and pushers. Spec: <https://spec.matrix.org/v1.19/client-server-api/#push-notifications>.

use axum::{Json, Router, extract::State};
use ruma::api::client::push::{
    PushRule, RuleKind, delete_pushrule, get_pushers, get_pushrule, get_pushrule_actions,
    get_pushrule_enabled, get_pushrules_all, get_pushrules_global_scope, set_pusher, set_pushrule,
    set_pushrule_actions, set_pushrule_enabled,
};
use serde_json::{Map, Value, json};

use crate::{
    account,
    app::App,
    auth::Requester,
    gateway::{ApiError, JsonBody, Matrix, MatrixRoutes, Server},
    storage::Id,
};

pub(in crate::gateway) fn routes() -> Router<Server> {
    Router::new()
        .serve::<get_pushrules_all::v3::Request, _, _>(get_all)
        .serve::<get_pushrules_global_scope::v3::Request, _, _>(get_global)
        .serve::<get_pushrule::v3::Request, _, _>(get_rule)
        .serve::<set_pushrule::v3::Request, _, _>(set_rule)
        .serve::<delete_pushrule::v3::Request, _, _>(delete_rule)
        .serve::<get_pushrule_enabled::v3::Request, _, _>(get_enabled)
        .serve::<set_pushrule_enabled::v3::Request, _, _>(set_enabled)
        .serve::<get_pushrule_actions::v3::Request, _, _>(get_actions)
        .serve::<set_pushrule_actions::v3::Request, _, _>(set_actions)
        .serve::<get_pushers::v3::Request, _, _>(get_pushers)
        .serve::<set_pusher::v3::Request, _, _>(set_pusher)
}

/// `GET /_matrix/client/v3/pushrules/`
async fn get_all(
    State(app): State<App>,
    requester: Requester,
) -> Result<Matrix<get_pushrules_all::v3::Response>, ApiError> {
    let rules = account::push_rules(&app, requester.user).await?;
    Ok(Matrix(get_pushrules_all::v3::Response::new(rules)))
}

/// `GET /_matrix/client/v3/pushrules/global/`
async fn get_global(
    State(app): State<App>,
    requester: Requester,
) -> Result<Matrix<get_pushrules_global_scope::v3::Response>, ApiError> {
    let rules = account::push_rules(&app, requester.user).await?;
    Ok(Matrix(get_pushrules_global_scope::v3::Response::new(rules)))
}

async fn find(app: &App, user: Id, kind: RuleKind, rule_id: &str) -> Result<PushRule, ApiError> {
    let rules = account::push_rules(app, user).await?;
    let rule = rules.get(kind, rule_id).map(PushRule::from);
    rule.ok_or_else(|| ApiError::not_found("this push rule not found"))
}

/// `GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}`
async fn get_rule(
    State(app): State<App>,
    requester: Requester,
    Matrix(request): Matrix<get_pushrule::v3::Request>,
) -> Result<Matrix<get_pushrule::v3::Response>, ApiError> {
    let rule = find(&app, requester.user, request.kind, &request.rule_id).await?;
    Ok(Matrix(get_pushrule::v3::Response::new(rule)))
}

/// `PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}`
async fn set_rule(
    State(app): State<App>,
    requester: Requester,
    Matrix(request): Matrix<set_pushrule::v3::Request>,
) -> Result<Matrix<set_pushrule::v3::Response>, ApiError> {
    let (before, after) = (request.before, request.after);
    account::add_rule(&app, requester.user, request.rule, before, after).await?;
    Ok(Matrix(set_pushrule::v3::Response::new()))
}

/// `DELETE /_matrix/client/v3/pushrules/global/{kind}/{ruleId}`
async fn delete_rule(
    State(app): State<App>,
    requester: Requester,
    Matrix(request): Matrix<delete_pushrule::v3::Request>,
) -> Result<Matrix<delete_pushrule::v3::Response>, ApiError> {
    account::remove_rule(&app, requester.user, request.kind, request.rule_id).await?;
    Ok(Matrix(delete_pushrule::v3::Response::new()))
}

/// `GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled`
async fn get_enabled(
    State(app): State<App>,
    requester: Requester,
    Matrix(request): Matrix<get_pushrule_enabled::v3::Request>,
) -> Result<Matrix<get_pushrule_enabled::v3::Response>, ApiError> {
    let rule = find(&app, requester.user, request.kind, &request.rule_id).await?;
    Ok(Matrix(get_pushrule_enabled::v3::Response::new(rule.enabled)))
}

/// `PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled`
async fn set_enabled(
    State(app): State<App>,
    requester: Requester,
    Matrix(request): Matrix<set_pushrule_enabled::v3::Request>,
) -> Result<Matrix<set_pushrule_enabled::v3::Response>, ApiError> {
    let (kind, rule_id) = (request.kind, request.rule_id);
    account::set_rule_enabled(&app, requester.user, kind, rule_id, request.enabled).await?;
    Ok(Matrix(set_pushrule_enabled::v3::Response::new()))
}

/// `GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions`
async fn get_actions(
    State(app): State<App>,
    requester: Requester,
    Matrix(request): Matrix<get_pushrule_actions::v3::Request>,
) -> Result<Matrix<get_pushrule_actions::v3::Response>, ApiError> {
    let rule = find(&app, requester.user, request.kind, &request.rule_id).await?;
    Ok(Matrix(get_pushrule_actions::v3::Response::new(rule.actions)))
}

/// `PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions`
async fn set_actions(
    State(app): State<App>,
    requester: Requester,
    Matrix(request): Matrix<set_pushrule_actions::v3::Request>,
) -> Result<Matrix<set_pushrule_actions::v3::Response>, ApiError> {
    let (kind, rule_id) = (request.kind, request.rule_id);
    account::set_rule_actions(&app, requester.user, kind, rule_id, request.actions).await?;
    Ok(Matrix(set_pushrule_actions::v3::Response::new()))
}

/// `GET /_matrix/client/v3/pushers`
async fn get_pushers(
    State(app): State<App>,
    requester: Requester,
) -> Result<Json<Value>, ApiError> {
    let pushers = account::list_pushers(&app, requester.user).await?;
    Ok(Json(json!({ "pushers": pushers })))
}

/// `POST /_matrix/client/v3/pushers/set`
async fn set_pusher(
    State(app): State<App>,
    requester: Requester,
    JsonBody(body): JsonBody<Map<String, Value>>,
) -> Result<Json<Value>, ApiError> {
    if body.get("kind").is_some_and(Value::is_null) {
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let (Some(app_id), Some(pushkey)) = (text("app_id"), text("pushkey")) else {
            return Err(ApiError::invalid_param("app_id and pushkey are needed"));
        };
        account::remove_pusher(&app, requester.user, app_id, pushkey).await?;
    } else {
        account::set_pusher(&app, &requester, body).await?;
    }
    Ok(Json(json!({})))
}
