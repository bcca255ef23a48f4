//! Host sync: one websocket for each host, with what it shall hold of the VPCs.
//!
//! On connect the whole state; afterwards, whenever a committed batch touched a table that it follows
//! from, what is other than the host was told. Nothing is computed where a write happens, so nothing
//! can be forgotten; several batches are told as one.
//! Rule: design section 6, "Joining, and host sync".

use super::{Host, Sessions};
use aws_api::agent::host_sync::{FromHost, HostRow, Row, RowKey, ToHost};
use ec2::host::Hosts;
use ecs::records::TASKS;
use ecs::records::container_instance::{CONTAINER_INSTANCES, ContainerInstanceRecord};
use futures_util::{FutureExt, SinkExt, StreamExt};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use store::{ChangeStream, CommittedBatch, Lagged, World};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{self, Message};
use tracing::{debug, info, warn};

/// Well under the time after which a host takes the server for gone.
const PING_EVERY: Duration = Duration::from_secs(15);
/// A host that answers no ping for so long is gone.
const SILENCE_MAX: Duration = Duration::from_secs(40);
/// The attribute with a host's address in the network between the hosts (`longshore agent --address`).
const UNDERLAY: &str = "longshore.address";

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
        told: BTreeMap::new(),
        revision: 0,
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
    /// What the host was told, by key.
    told: BTreeMap<RowKey, Row>,
    revision: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> HostSync<'_, S> {
    async fn live(&mut self) -> Result<(), End> {
        self.told = self.wanted();
        self.revision = 1;
        let rows = self.told.values().cloned().collect();
        let revision = self.revision;
        self.send(&ToHost::State { revision, rows }).await?;
        let mut ping = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                frame = self.socket.next() => {
                    heard = Instant::now();
                    match frame.transpose()? {
                        None | Some(Message::Close(_)) => return Err(End::Closed),
                        Some(Message::Text(text)) => self.receive(&text),
                        Some(_) => {}
                    }
                }
                batch = self.changes.next() => match batch {
                    None => return Err(End::Stopping),
                    Some(batch) if self.concerns(&batch) => {
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

    fn wanted(&self) -> BTreeMap<RowKey, Row> {
        let world = self.sessions.state.snapshot();
        let rows = rows(&world, &self.host.instance_arn);
        rows.into_iter().map(|row| (row.key(), row)).collect()
    }

    /// Whether a batch may change what the host shall hold. Who fell behind looks in any case.
    fn concerns(&self, batch: &Result<Arc<CommittedBatch>, Lagged>) -> bool {
        let Ok(batch) = batch else { return true };
        let tables = [ec2::records::tables(), servicediscovery::records::tables()].concat();
        let is_one = |name: &str| tables.iter().any(|table| table.name() == name);
        let world = self.sessions.state.snapshot();
        let mut changed = batch.changes.iter();
        changed.any(|(table, key)| match *table {
            name if name == TASKS.name() => ecs::connect::rows::concerns(&world, key),
            name => name == CONTAINER_INSTANCES.name() || is_one(name),
        })
    }

    /// Sends what is other than the host was told.
    async fn tell(&mut self) -> Result<(), End> {
        let wanted = self.wanted();
        let is_new = |(key, row): &(&RowKey, &Row)| self.told.get(key) != Some(row);
        let put: Vec<Row> = wanted
            .iter()
            .filter(is_new)
            .map(|(_, row)| row.clone())
            .collect();
        let gone = self.told.keys().filter(|key| !wanted.contains_key(key));
        let remove: Vec<RowKey> = gone.cloned().collect();
        self.told = wanted;
        if put.is_empty() && remove.is_empty() {
            return Ok(());
        }
        self.revision += 1;
        let revision = self.revision;
        let change = ToHost::Change {
            revision,
            put,
            remove,
        };
        self.send(&change).await
    }

    fn receive(&self, text: &str) {
        let host = &self.host.instance_arn;
        match serde_json::from_str(text) {
            Ok(FromHost::Applied { revision }) => debug!(host, revision, "host sync applied"),
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
}

/// What a host shall hold: the VPCs in which it has interfaces, with the names that they resolve, and the
/// endpoints that its tasks reach.
fn rows(world: &World, host: &str) -> Vec<Row> {
    let hosts = hosts(world, host);
    let mut rows = ec2::host::rows(world, host, &hosts);
    let vpcs = rows.iter().filter_map(|row| match row {
        Row::Vpc(vpc) if vpc.resolver => Some(vpc.id.clone()),
        _ => None,
    });
    let names: Vec<Row> = vpcs
        .flat_map(|vpc| servicediscovery::names(world, &vpc))
        .map(Row::Name)
        .collect();
    rows.extend(names);
    let further = hosts.aliases.iter().filter(|(_, of)| *of == host);
    let registrations = further.map(|(name, _)| name.as_str()).chain([host]);
    let endpoints = ecs::connect::rows::rows(world, registrations);
    rows.extend(endpoints.into_iter().map(Row::Endpoint));
    rows
}

/// All machines, as the one with this registration knows them. A machine may be registered more than once, such as
/// where it lends FARGATE capacity besides: it is told by the registration that asks, the others by their first.
fn hosts(world: &World, own: &str) -> Hosts {
    let mut hosts = Hosts::default();
    let mut known: BTreeMap<(&str, &str, &str), String> = BTreeMap::new();
    let instances = || world.scan(&CONTAINER_INSTANCES);
    // Machines without a name of their own cannot be told from each other.
    let named = || instances().filter(|instance| !instance.host.is_empty());
    let asking = named().find(|instance| instance.key.arn() == own);
    for instance in asking.into_iter().chain(named()) {
        let arn = instance.key.arn();
        let of = known.entry(name(instance)).or_insert_with(|| arn.clone());
        if *of != arn {
            hosts.aliases.insert(arn, of.clone());
        }
    }
    let speaking = instances().filter(|instance| !hosts.aliases.contains_key(&instance.key.arn()));
    hosts.underlays = speaking.filter_map(|instance| row(instance)).collect();
    hosts
}

fn name(instance: &ContainerInstanceRecord) -> (&str, &str, &str) {
    let scope = &instance.key.scope;
    (&scope.account, &scope.region, &instance.host)
}

fn row(instance: &ContainerInstanceRecord) -> Option<HostRow> {
    let underlay: Ipv4Addr = instance.attribute(UNDERLAY)??.parse().ok()?;
    Some(HostRow {
        id: instance.key.arn(),
        underlay,
    })
}
