//! The door of a user's devices. Spec: <https://spec.matrix.org/v1.19/client-server-api/#client-behaviour-4>.

use axum::{Json, Router, extract::State};
use ruma::api::client::device::{
    delete_device, delete_devices, get_device, get_devices, update_device,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    app::App,
    auth::{self, Auth, Requester},
    gateway::{ApiError, Interactive, Matrix, MatrixRoutes, Path, Server},
    messaging::keys,
    storage::{Id, devices::Device},
};

pub(in crate::gateway) fn routes() -> Router<Server> {
    Router::new()
        .serve::<get_devices::v3::Request, _, _>(get_devices)
        .serve::<get_device::v3::Request, _, _>(get_device)
        .serve::<update_device::v3::Request, _, _>(update_device)
        .serve::<delete_device::v3::Request, _, _>(delete_device)
        .serve::<delete_devices::v3::Request, _, _>(delete_devices)
}

fn device_json(device: &Device) -> Value {
    let mut json = Map::new();
    json.insert("device_id".to_owned(), json!(device.device_id));
    if let Some(name) = &device.display_name {
        json.insert("display_name".to_owned(), json!(name));
    }
    if let Some(at_ms) = device.last_seen_ms {
        json.insert("last_seen_ts".to_owned(), json!(at_ms));
    }
    if let Some(ip) = &device.last_seen_ip {
        json.insert("last_seen_ip".to_owned(), json!(ip));
    }
    Value::Object(json)
}

/// `GET /_matrix/client/v3/devices`
async fn get_devices(
    State(app): State<App>,
    State(auth): State<Auth>,
    requester: Requester,
) -> Result<Json<Value>, ApiError> {
    let devices = auth::list_devices(&app, &auth, requester.user).await?;
    let devices: Vec<_> = devices.iter().map(device_json).collect();
    Ok(Json(json!({ "devices": devices })))
}

/// `GET /_matrix/client/v3/devices/{deviceId}`
async fn get_device(
    State(app): State<App>,
    State(auth): State<Auth>,
    requester: Requester,
    Matrix(request): Matrix<get_device::v3::Request>,
) -> Result<Json<Value>, ApiError> {
    let device_id = request.device_id.as_str();
    let device = auth::find_device(&app, &auth, requester.user, device_id).await?;
    Ok(Json(device_json(&device)))
}

/// `PUT /_matrix/client/v3/devices/{deviceId}`
async fn update_device(
    State(app): State<App>,
    State(auth): State<Auth>,
    requester: Requester,
    Matrix(request): Matrix<update_device::v3::Request>,
) -> Result<Matrix<update_device::v3::Response>, ApiError> {
    let (device_id, name) = (request.device_id.as_str(), request.display_name);
    auth::rename_device(&app, &auth, requester.user, device_id, name).await?;
    keys::device_renamed(&app, requester.user, &request.device_id).await?;
    Ok(Matrix(update_device::v3::Response::new()))
}

/// `DELETE /_matrix/client/v3/devices/{deviceId}`
async fn delete_device(
    State(app): State<App>,
    State(auth): State<Auth>,
    requester: Requester,
    Path(device_id): Path<String>,
    request: Interactive<Map<String, Value>>,
) -> Result<Matrix<delete_device::v3::Response>, ApiError> {
    let operation = request.operation(Some(requester.user));
    auth::confirm_user(&app, &auth, operation, &request.submission).await?;
    let devices = auth::delete_devices(&app, &auth, requester.user, &[device_id]).await?;
    forget(&app, requester.user, &devices).await?;
    Ok(Matrix(delete_device::v3::Response::new()))
}

#[derive(Deserialize)]
struct DeleteDevicesBody {
    devices: Vec<String>,
}

/// `POST /_matrix/client/v3/delete_devices`
async fn delete_devices(
    State(app): State<App>,
    State(auth): State<Auth>,
    requester: Requester,
    request: Interactive<DeleteDevicesBody>,
) -> Result<Matrix<delete_devices::v3::Response>, ApiError> {
    let operation = request.operation(Some(requester.user));
    auth::confirm_user(&app, &auth, operation, &request.submission).await?;
    let names = &request.body.devices;
    let devices = auth::delete_devices(&app, &auth, requester.user, names).await?;
    forget(&app, requester.user, &devices).await?;
    Ok(Matrix(delete_devices::v3::Response::new()))
}

/// Forgets what other floors keep of deleted devices: the one place where each of those floors is told.
pub(super) async fn forget(app: &App, user: Id, devices: &[Device]) -> Result<(), ApiError> {
    let ids: Vec<Id> = devices.iter().map(|device| device.id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    Ok(keys::forget_devices(app, user, &ids).await?)
}
