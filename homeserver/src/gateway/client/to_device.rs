//! The door of messages from device to device. Spec: <https://spec.matrix.org/v1.19/client-server-api/#send-to-device-messaging>.

use axum::{Router, extract::State};
use ruma::api::client::to_device::send_event_to_device;

use crate::{
    app::App,
    auth::Requester,
    gateway::{ApiError, Matrix, MatrixRoutes, Server},
    messaging::keys::{self, ToDeviceRequest},
};

pub(in crate::gateway) fn routes() -> Router<Server> {
    Router::new().serve::<send_event_to_device::v3::Request, _, _>(send_event_to_device)
}

/// `PUT /_matrix/client/v3/sendToDevice/{eventType}/{txnId}`
async fn send_event_to_device(
    State(app): State<App>,
    requester: Requester,
    Matrix(request): Matrix<send_event_to_device::v3::Request>,
) -> Result<Matrix<send_event_to_device::v3::Response>, ApiError> {
    let send_event_to_device::v3::Request { event_type, txn_id, messages, .. } = request;
    let request = ToDeviceRequest { event_type, txn_id, messages };
    keys::send_to_device(&app, &requester, request).await?;
    Ok(Matrix(send_event_to_device::v3::Response::new()))
}
