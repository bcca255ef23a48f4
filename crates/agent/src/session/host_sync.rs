//! The host sync session: what this host shall hold of the VPCs, as messages that are applied in order.

use super::{Reconnect, Socket, connect};
use crate::endpoints;
use crate::engine::Host;
use aws_api::agent::host_sync::{FromHost, ToHost};
use aws_wire::head::percent_encoded;
use futures_util::{SinkExt, StreamExt};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::{self, Message};
use tracing::{debug, info, warn};

/// Without any frame for this long the server is taken for gone: it pings.
const SILENCE_MAX: Duration = Duration::from_secs(40);

/// Keeps the session; never returns. While there is none the host's networks stay as they are.
///
/// A machine has one set of networks, for which it asks by one of its `registrations`: by the next where that fails,
/// since one that was deregistered is refused.
pub async fn host_sync(host: &Arc<Host>, mut registrations: watch::Receiver<Vec<String>>) {
    let (mut reconnect, mut turn) = (Reconnect::new(), 0_usize);
    loop {
        let known = registrations.wait_for(|all| !all.is_empty()).await;
        let known = known.map(|all| all.clone()).unwrap_or_default();
        let Some(instance) = known.get(turn % known.len().max(1)) else {
            return;
        };
        let began = Instant::now();
        match connect(host, &format!("hostSync={}", percent_encoded(instance))).await {
            Ok(socket) => {
                info!("host sync connected");
                let ended = live(host, socket).await;
                info!(?ended, "host sync ended");
                reconnect.after(began.elapsed()).await;
            }
            Err(error) => {
                debug!(%error, "host sync not connected");
                turn += 1;
                reconnect.after(Duration::ZERO).await;
            }
        }
    }
}

/// Why a session ended.
#[derive(Debug)]
#[expect(dead_code, reason = "for the log")]
enum End {
    Closed,
    Silent,
    Socket(tungstenite::Error),
}

async fn live(host: &Arc<Host>, mut socket: Socket) -> End {
    loop {
        let frame = match tokio::time::timeout(SILENCE_MAX, socket.next()).await {
            Err(_) => return End::Silent,
            Ok(None | Some(Ok(Message::Close(_)))) => return End::Closed,
            Ok(Some(Err(error))) => return End::Socket(error),
            Ok(Some(Ok(frame))) => frame,
        };
        let Message::Text(text) = frame else { continue };
        let message: ToHost = match serde_json::from_str(&text) {
            Ok(message) => message,
            Err(error) => {
                warn!(%error, "an unreadable host sync frame");
                continue;
            }
        };
        for answer in apply(host, &message).await {
            let Ok(text) = serde_json::to_string(&answer) else {
                continue;
            };
            if let Err(error) = socket.send(Message::text(text)).await {
                return End::Socket(error);
            }
        }
    }
}

async fn apply(host: &Arc<Host>, message: &ToHost) -> Vec<FromHost> {
    let (ToHost::State { revision, .. } | ToHost::Change { revision, .. }) = message;
    // Before a task that waits for its row is let go on: it may ask for a name at once.
    host.endpoints.learn(message);
    host.connect.learn(message).await;
    let applied = host.vpcs.apply(message).await;
    endpoints::follow_routers(host).await;
    match applied {
        Ok(outcome) => {
            let removed = outcome.removed.into_iter();
            let mut answers: Vec<FromHost> = removed
                .map(|interface| FromHost::Removed { interface })
                .collect();
            for (key, why) in outcome.failures {
                warn!(?key, why, "a row could not be applied");
                answers.push(FromHost::Failed { key, why });
            }
            let revision = *revision;
            answers.push(FromHost::Applied { revision });
            answers
        }
        Err(error) => {
            warn!(%error, "the networks of the VPCs could not be changed");
            Vec::new()
        }
    }
}
