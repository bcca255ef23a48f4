//! Service Connect on this host: a proxy in each task's namespace, by whose names other services are reached.
//!
//! ```text
//!  container ── api:8080 ── 127.255.0.1:8080, which leads to a socket in the task's namespace
//!                               │ the proxy's process (longshore proxy): picks a target, says when again
//!                               └── 172.31.16.6:80, from the task's own interface
//! ```
//! The sockets are made here ([`sockets`]) and served by a process of their own ([`proxy`]), which outlives this one:
//! the agent says what there is to be ([`protocol`], over a [`channel`]), starts that process where it is not there and
//! takes over that of an earlier agent ([`process`], [`launch`]). [`targets`] is what host sync says; [`report`] and
//! [`told`](mod@told) tell what was counted, [`access_logs`] who asked for what; [`reopen`](mod@reopen) is what the agent
//! does first.
//!
//! What always holds: sockets are open before the task's first container starts, and closed before its
//! namespace goes. A connection through the proxy ends with the proxy's process alone, and who connects while there is
//! none waits for the next, which is handed the same sockets. Rule: vpc-network 6; developer guide, "Service Connect".

mod access_logs;
mod channel;
mod ended;
mod keep;
mod kept;
mod launch;
#[cfg(test)]
mod played;
mod process;
mod protocol;
pub mod proxy;
mod reopen;
mod report;
mod sockets;
mod targets;
#[cfg(test)]
mod tests;
mod told;

pub use launch::OwnExecutable;
pub use process::Launch;
pub use reopen::reopen;
pub use report::{Tally, Told};
pub use told::{EndpointCounts, all as told};

use crate::actor::TaskContext;
use crate::part::Part;
use crate::task::connect::ServiceConnect;
use access_logs::LogEnds;
use aws_api::agent::host_sync::ToHost;
use keep::State;
use netdev::BridgeAttachment;
use process::Opened;
use protocol::Namespace;
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use targets::Targets;
use tokio::sync::{Mutex, Notify};

/// So long a task waits to hear of the targets that it may ask for at once.
const TARGETS_PATIENCE: Duration = Duration::from_secs(5);
/// Of the proxy, below the agent's `run`.
const SOCKET: &str = "proxy.sock";

/// Where sockets are made.
#[derive(Clone, Debug)]
pub struct Place {
    /// The namespace: a bind mount.
    pub netns: PathBuf,
    /// On the bridge: where the host's own loopback, at which a target without another address is, is reached.
    pub gateway: Option<Ipv4Addr>,
}

impl From<PathBuf> for Place {
    fn from(netns: PathBuf) -> Self {
        Self {
            netns,
            gateway: None,
        }
    }
}

impl From<&BridgeAttachment> for Place {
    fn from(bridge: &BridgeAttachment) -> Self {
        Self {
            netns: bridge.netns.clone(),
            gateway: Some(bridge.gateway),
        }
    }
}

/// The proxies of a host. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Connect(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    targets: Targets,
    launch: Arc<dyn Launch>,
    socket: PathBuf,
    /// Held while the proxy is asked, so that it hears of changes in their order.
    state: Mutex<State>,
    /// Something is other than the keeper saw it.
    changed: Notify,
    /// Something that was counted is to be told at once, to each part's server.
    ended: [Notify; Part::ALL.len()],
}

impl Connect {
    /// With what an earlier agent knew. `records`: of the agent; `run`: where its sockets are.
    #[must_use]
    pub fn new(records: &Path, run: &Path, launch: Arc<dyn Launch>) -> Self {
        Self(Arc::new(Inner {
            targets: Targets::open(records),
            launch,
            socket: run.join(SOCKET),
            state: Mutex::default(),
            changed: Notify::new(),
            ended: Default::default(),
        }))
    }

    /// Learns which tasks are behind the endpoints. When it returns no client is led to one that is gone.
    pub async fn learn(&self, message: &ToHost) {
        let inner = &self.0;
        let mut state = inner.state.lock().await;
        let Some(change) = inner.targets.change(message) else {
            return;
        };
        // First: of an agent that is killed in between the next one tells what is written down.
        inner.targets.write_down(&change).await;
        let told = match &state.process {
            Some(process) => process.targets(change.clone()).await,
            None => Ok(()),
        };
        inner.targets.take(change);
        if let Err(error) = told {
            inner.replace(&mut state, error).await;
        }
    }

    /// What the proxies of each task counted, by its ARN.
    pub async fn counted(&self) -> Tally {
        let inner = &self.0;
        let mut state = inner.state.lock().await;
        let Some(process) = &state.process else {
            let began = state.ended.began().unwrap_or_default();
            return Tally::new(began.to_owned(), state.ended.of(began).collect());
        };
        match process.counted().await {
            Ok(mut counted) => {
                let began = process.hello.began.clone();
                counted.extend(state.ended.of(&began));
                Tally::new(began, counted)
            }
            Err(error) => {
                inner.replace(&mut state, error).await;
                Tally::default()
            }
        }
    }

    /// Returns when counts of this part's tasks are there that nobody would be told of later.
    pub async fn has_ended(&self, part: Part) {
        self.0.ended[part as usize].notified().await;
    }

    /// The tasks of which such counts are there.
    pub async fn ended(&self, part: Part) -> BTreeSet<String> {
        self.0.state.lock().await.ended.tasks(part)
    }

    /// They were told. Of a task that has another namespace they count on.
    pub async fn forget_ended(&self, part: Part, mut told: BTreeSet<String>) {
        let mut state = self.0.state.lock().await;
        for open in state.open.values() {
            told.remove(&open.namespace.task);
        }
        state.ended.forget(part, &told);
    }

    /// Closes the proxy of a namespace of this part's: before that goes, and once more when it is gone, for one that
    /// is being opened again at that moment.
    pub async fn close(&self, netns: &Path, part: Part) {
        let inner = &self.0;
        let mut state = inner.state.lock().await;
        state.found.remove(netns);
        state.open.remove(netns);
        state.refused.remove(netns);
        // Whatever is known of it here: what an earlier agent began to open is known to the process alone.
        let Some(process) = &state.process else {
            return;
        };
        let began = process.hello.began.clone();
        match process.close(netns.to_owned()).await {
            Ok(counted) => {
                if state.ended.add(part, &began, counted) {
                    inner.ended[part as usize].notify_one();
                }
            }
            Err(error) => inner.replace(&mut state, error).await,
        }
    }

    /// Opens the proxy of a task in a namespace that has none.
    ///
    /// # Errors
    /// A socket cannot be made there, or no proxy be had; then none is left.
    pub async fn open(&self, task: &TaskContext, place: &Place) -> io::Result<()> {
        let Some(wanted) = task.definition.service_connect() else {
            return Ok(());
        };
        let log = match &wanted.access_log {
            Some(log) => Some(self.log_ends(task, log, &place.netns).await?),
            None => None,
        };
        let part = Part::of(&task.definition);
        self.serve((&task.definition.arn, log, part), wanted, place)
            .await
    }

    async fn serve(
        &self,
        (task, log, part): (&str, Option<LogEnds>, Part),
        wanted: &ServiceConnect,
        place: &Place,
    ) -> io::Result<()> {
        let inner = &self.0;
        let netns = File::open(&place.netns)?;
        let mut opened = Opened {
            namespace: Namespace {
                netns: place.netns.clone(),
                inode: netns.metadata()?.ino(),
                task: task.to_owned(),
                gateway: place.gateway,
                wanted: wanted.clone(),
            },
            netns: netns.into(),
            log,
            sockets: Vec::new(),
        };
        let inode = opened.namespace.inode;
        opened = match inner.take_up(opened).await {
            Ok(()) => return Ok(()),
            Err(opened) => *opened,
        };
        opened.sockets = sockets::make(place, wanted).await?;
        inner.serve(opened).await?;
        // It may have gone meanwhile, with whoever closes what is open there.
        match std::fs::metadata(&place.netns).map(|now| now.ino()) {
            Ok(now) if now == inode => Ok(()),
            gone => {
                self.close(&place.netns, part).await;
                Err(gone.err().unwrap_or_else(|| io::ErrorKind::NotFound.into()))
            }
        }
    }

    /// Waits until the targets that a task may ask for at once are known.
    pub async fn wait_for_targets(&self, task: &TaskContext) {
        let wanted = task.definition.service_connect();
        let listeners = wanted.iter().flat_map(|wanted| &wanted.listeners);
        let endpoints: Vec<String> = listeners.map(|one| one.endpoint.clone()).collect();
        self.0.targets.wait_for(&endpoints, TARGETS_PATIENCE).await;
    }
}
