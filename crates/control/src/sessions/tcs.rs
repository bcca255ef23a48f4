//! The TCS session of one host: how its tasks fare.
//!
//! Each frame is acknowledged, or the agent reconnects after a minute. What it says of metrics and
//! container health has no reader yet: health checks and metrics come with their own issues.

use aws_api::agent::{AckPublishHealth, AckPublishInstanceStatus, AckPublishMetric, TcsMessage};
use futures_util::{SinkExt, StreamExt};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tracing::debug;

/// Agents publish every 20 s; one that is silent this long is gone.
const SILENCE_MAX: Duration = Duration::from_secs(120);

/// Runs the session until it ends.
pub async fn run<S: AsyncRead + AsyncWrite + Unpin>(mut socket: WebSocketStream<S>) {
    while let Ok(Some(Ok(frame))) = timeout(SILENCE_MAX, socket.next()).await {
        let Message::Text(text) = frame else { continue };
        let acknowledgement = match TcsMessage::from_text(&text) {
            Ok(TcsMessage::PublishMetrics(_)) => {
                TcsMessage::AckPublishMetric(AckPublishMetric::default())
            }
            Ok(TcsMessage::PublishHealth(_)) => {
                TcsMessage::AckPublishHealth(AckPublishHealth::default())
            }
            Ok(TcsMessage::PublishInstanceStatus(_)) => {
                TcsMessage::AckPublishInstanceStatus(AckPublishInstanceStatus::default())
            }
            Ok(_) => continue,
            Err(error) => {
                debug!(%error, "an unreadable tcs frame");
                continue;
            }
        };
        let Ok(text) = acknowledgement.to_text() else {
            continue;
        };
        if socket.send(Message::text(text)).await.is_err() {
            return;
        }
    }
}
