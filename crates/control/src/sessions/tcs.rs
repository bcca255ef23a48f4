//! The TCS session of one host: how its tasks fare.
//!
//! Each frame is acknowledged, or the agent reconnects after a minute. Container health is written
//! down; what tasks use is gathered until the minute is over.

use super::{Host, Sessions};
use aws_api::agent::{
    AckPublishHealth, AckPublishInstanceStatus, AckPublishMetric, PublishHealthRequest, TcsMessage,
};
use ecs::instance::life::TASKS_PER_STEP_MAX;
use ecs::task::health;
use futures_util::{SinkExt, StreamExt};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tracing::{debug, warn};

/// Agents publish every 20 s; one that is silent this long is gone.
const SILENCE_MAX: Duration = Duration::from_secs(120);

/// Runs the session until it ends.
pub async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    sessions: Sessions,
    host: Host,
    mut socket: WebSocketStream<S>,
) {
    while let Ok(Some(Ok(frame))) = timeout(SILENCE_MAX, socket.next()).await {
        let Message::Text(text) = frame else { continue };
        let acknowledgement = match TcsMessage::from_text(&text) {
            Ok(TcsMessage::PublishMetrics(published)) => {
                let world = sessions.state.snapshot();
                sessions.usage.note(&world, &host.instance, &published);
                TcsMessage::AckPublishMetric(AckPublishMetric::default())
            }
            Ok(TcsMessage::PublishHealth(published)) => {
                write_down(&sessions, &host, &published).await;
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

/// What is new of it; most publications repeat what is known.
async fn write_down(sessions: &Sessions, host: &Host, published: &PublishHealthRequest) {
    let reported = published.tasks.as_deref().unwrap_or_default();
    let news = health::news(&sessions.state.snapshot(), &host.instance, reported);
    for some in news.chunks(TASKS_PER_STEP_MAX) {
        let (key, some) = (host.instance.clone(), some.to_vec());
        let submitted = sessions.state.submit(host.ctx(), move |txn, _| {
            health::apply(txn, &key, &some);
            Ok(())
        });
        if let Err(error) = submitted.await {
            warn!(host = %host.instance_arn, ?error, "cannot record the health of tasks; the host says it again");
        }
    }
}
