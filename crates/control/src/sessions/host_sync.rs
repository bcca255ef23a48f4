//! Host sync: one websocket for each host, with what it shall hold of the VPCs.
//!
//! On connect the whole state; afterwards, whenever a committed batch touched a table that it follows
//! from, what is other than the host was told. Nothing is computed where a write happens, so nothing
//! can be forgotten; several batches are told as one.
//! Rule: design section 6, "Joining, and host sync".

use super::{Host, Sessions};
use aws_api::agent::host_sync::{FromHost, ToHost};
use ecs::host_rows::{self, Told, Wanted};
use futures_util::{FutureExt, SinkExt, StreamExt};
use std::sync::Arc;
use std::time::Duration;
use store::{ChangeStream, CommittedBatch, Lagged};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{self, Message};
use tracing::{debug, info, warn};

/// Well under the time after which a host takes the server for gone.
const PING_EVERY: Duration = Duration::from_secs(15);
/// A host that answers no ping for so long is gone.
const SILENCE_MAX: Duration = Duration::from_secs(40);

/// Runs the session until it ends.
pub async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    sessions: Sessions,
    host: Host,
    socket: WebSocketStream<S>,
) {
    let mut sync = HostSync {
        changes: sessions.state.subscribe(),
        sessions: &sessions,
        host: &host,
        socket,
        told: Told::default(),
    };
    info!(host = %host.instance_arn, "host sync opened");
    let outcome = sync.live().await;
    info!(host = %host.instance_arn, ?outcome, "host sync ended");
}

/// Why a session ended.
#[derive(Debug)]
enum End {
    Closed,
    Silent,
    Stopping,
    /// Its registration is gone: the machine asks by another, if it has one.
    Unknown,
    Socket(#[expect(dead_code, reason = "for the log")] tungstenite::Error),
}

impl From<tungstenite::Error> for End {
    fn from(error: tungstenite::Error) -> Self {
        Self::Socket(error)
    }
}

struct HostSync<'a, S> {
    sessions: &'a Sessions,
    host: &'a Host,
    socket: WebSocketStream<S>,
    changes: ChangeStream,
    told: Told,
}

impl<S: AsyncRead + AsyncWrite + Unpin> HostSync<'_, S> {
    async fn live(&mut self) -> Result<(), End> {
        let state = self.told.state(self.wanted()?);
        self.send(&state).await?;
        let mut ping = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                frame = self.socket.next() => {
                    heard = Instant::now();
                    match frame.transpose()? {
                        None | Some(Message::Close(_)) => return Err(End::Closed),
                        Some(Message::Text(text)) => self.receive(&text).await,
                        Some(_) => {}
                    }
                }
                batch = self.changes.next() => match batch {
                    None => return Err(End::Stopping),
                    Some(batch) if self.is_concerned(&batch) => {
                        self.skip_waiting();
                        self.tell().await?;
                    }
                    Some(_) => {}
                },
                _ = ping.tick() => {
                    if heard.elapsed() > SILENCE_MAX {
                        return Err(End::Silent);
                    }
                    self.socket.send(Message::Ping(Vec::new().into())).await?;
                }
            }
        }
    }

    /// Batches that wait already: the next snapshot has them all.
    fn skip_waiting(&mut self) {
        while let Some(Some(_)) = self.changes.next().now_or_never() {}
    }

    fn wanted(&self) -> Result<Wanted, End> {
        let world = self.sessions.state.snapshot();
        match host_rows::is_known(&world, &self.host.instance) {
            true => Ok(host_rows::wanted(&world, &self.host.instance_arn)),
            false => Err(End::Unknown),
        }
    }

    /// Sends what is other than the host was told.
    async fn tell(&mut self) -> Result<(), End> {
        match self.told.change(self.wanted()?) {
            Some(change) => self.send(&change).await,
            None => {
                self.confirm().await;
                Ok(())
            }
        }
    }

    /// Addresses that were held for this host, and of which it has nothing any more, are.
    async fn confirm(&mut self) {
        let confirmed = self.told.confirmed();
        if confirmed.is_empty() {
            return;
        }
        let host = self.host.instance_arn.clone();
        let submitted = self.sessions.state.submit(self.host.ctx(), move |txn, _| {
            let names = host_rows::registrations(txn, &host);
            ec2::held::confirm(txn, &names, &confirmed);
            Ok(())
        });
        if let Err(error) = submitted.await {
            let host = &self.host.instance_arn;
            warn!(host, ?error, "addresses are held until the next change");
        }
    }

    async fn receive(&mut self, text: &str) {
        let host = &self.host.instance_arn;
        match serde_json::from_str(text) {
            Ok(FromHost::Applied { revision }) => {
                debug!(host, revision, "host sync applied");
                self.told.applied(revision);
                self.confirm().await;
            }
            // The task's STOPPED, which follows, frees the address.
            Ok(FromHost::Removed { interface }) => debug!(host, interface, "interface removed"),
            Ok(FromHost::Failed { key, why }) => {
                warn!(host, ?key, why, "a host could not apply a row");
            }
            Err(error) => warn!(host, %error, "an unreadable host sync frame"),
        }
    }

    async fn send(&mut self, message: &ToHost) -> Result<(), End> {
        match serde_json::to_string(message) {
            Ok(text) => Ok(self.socket.send(Message::text(text)).await?),
            Err(error) => {
                warn!(%error, "cannot encode a host sync frame");
                Ok(())
            }
        }
    }

    /// Whether a batch may change what the host shall hold. Who fell behind looks in any case.
    fn is_concerned(&self, batch: &Result<Arc<CommittedBatch>, Lagged>) -> bool {
        let Ok(batch) = batch else { return true };
        let world = self.sessions.state.snapshot();
        host_rows::concern(
            &world,
            batch.changes.iter().map(|(table, key)| (*table, key)),
        )
    }
}
