//! The proxy's process: one a host, of the same executable, which outlives the agent and is the next one's too.
//!
//! It is told by the agent what to serve ([`protocol`](super::protocol)) and decides nothing else: no file is read, none
//! written, no name resolved. [`balancer`], [`retry`] are pure. [`targets`] is what the agent said; [`route`] is one
//! endpoint in one namespace; [`tcp`] and [`http`] carry; [`activity`] tells what is idle; [`counters`] count, [`access`]
//! tells who asked; [`gate`] counts clients; [`scope`] ends it all with the namespace.
//!
//! What always holds: a socket that is made for a namespace is made in it; when a namespace is closed no descriptor of
//! it is left here; the agent's end changes nothing. One agent is heard, that which connected last.

mod access;
pub(crate) mod activity;
mod balancer;
mod counters;
mod gate;
mod http;
mod open;
mod retry;
mod route;
mod scope;
mod targets;
mod tcp;
#[cfg(test)]
mod tests;

pub use counters::Counts;

use super::channel::{Channel, Door};
use super::protocol::{Answer, Counted, Hello, Order, SOCKETS_MAX, VERSION};
use crate::descriptors;
use crate::engine::random_hex;
use gate::Gate;
use open::Open;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use targets::Targets;
use tokio::time::sleep;
use tracing::warn;

/// Descriptors that no client takes: for the agent's channel, what its orders carry, the sockets of the next task.
const RESERVE: usize = 64;
/// Between two attempts to take an agent where the first failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// All that is served.
#[derive(Debug)]
struct Proxy {
    targets: Arc<Targets>,
    gate: Gate,
    open: BTreeMap<PathBuf, Open>,
    began: String,
}

/// What is done with an order, and with what.
type Answered = (Answer, Vec<OwnedFd>);

/// The process: standard input is the socket at which agents connect. Until an agent says that it ends.
///
/// # Errors
/// It cannot listen there.
pub fn run() -> io::Result<()> {
    // A Ctrl-C for the agent's terminal must not end what outlives the agent.
    let _ = rustix::process::setsid();
    descriptors::raise_limit();
    let door = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    let null = std::fs::File::open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let ended = runtime.block_on(async {
        serve(Door::new(door)?).await;
        Ok(())
    });
    // Nothing that is carried is waited for.
    runtime.shutdown_background();
    ended
}

/// Serves until it is told to end.
pub async fn serve(door: Door) {
    let mut proxy = Proxy {
        targets: Arc::default(),
        gate: Gate::default(),
        open: BTreeMap::new(),
        began: random_hex(8),
    };
    let mut agent: Option<Channel> = None;
    loop {
        let heard = tokio::select! {
            next = next_agent(&door) => {
                agent = Some(next);
                continue;
            }
            heard = hear(agent.as_ref()) => heard,
        };
        let (Ok(Some((order, with))), Some(channel)) = (heard, &agent) else {
            // It has gone, or speaks another language: the next one asks anew.
            agent = None;
            continue;
        };
        let is_end = matches!(order, Order::End | Order::EndIfIdle);
        let (answer, given) = proxy.obey(order, with).await;
        let is_end = is_end && matches!(answer, Answer::Done);
        let given: Vec<_> = given.iter().map(AsFd::as_fd).collect();
        if channel.send(&answer, &given).await.is_err() {
            agent = None;
        }
        if is_end {
            return;
        }
    }
}

/// One that cannot be taken for lack of a descriptor waits: what is served does not end over it.
async fn next_agent(door: &Door) -> Channel {
    loop {
        match door.accept().await {
            Ok(channel) => return channel,
            Err(error) => {
                warn!(%error, "an agent cannot be taken; it is tried again");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// How many clients may be connected where a process may have so many descriptors and its namespaces have `own` of
/// them. Each client takes one more, for its connection to a target.
fn room(limit: usize, own: usize) -> usize {
    limit.saturating_sub(own + RESERVE) / 2
}

/// Whether a descriptor of this number, of so many that there may be, leaves enough for the agent.
fn is_spare(descriptor: RawFd, limit: usize) -> bool {
    let used = usize::try_from(descriptor).unwrap_or(usize::MAX);
    used < limit.saturating_sub(RESERVE)
}

async fn hear(agent: Option<&Channel>) -> io::Result<Option<(Order, Vec<OwnedFd>)>> {
    match agent {
        Some(channel) => channel.receive().await,
        None => std::future::pending().await,
    }
}

impl Proxy {
    async fn obey(&mut self, order: Order, with: Vec<OwnedFd>) -> Answered {
        let done = match order {
            Order::Hello => return (Answer::Hello(self.hello().await), Vec::new()),
            Order::Count => {
                let counted = self.open.values().flat_map(Open::counted);
                return (Answer::Counted(counted.collect()), Vec::new());
            }
            Order::Give(netns, from) => match self.given(&netns, from) {
                Ok(sockets) => return (Answer::Done, sockets),
                Err(error) => Err(error),
            },
            Order::GiveLog(netns) => match self.given_log(&netns) {
                Ok(ends) => return (Answer::Done, ends),
                Err(error) => Err(error),
            },
            Order::Open(namespace) => {
                self.close(&namespace.netns).await;
                let name = namespace.netns.clone();
                let open = Open::new(namespace, with, self.targets.clone());
                open.map(|open| drop(self.open.insert(name, open)))
            }
            // A process that has no descriptor left is given fewer.
            Order::Sockets(netns, count) => match self.open.get_mut(&netns) {
                Some(open) if with.len() == count => open.take(with, &self.gate),
                _ => Err(io::ErrorKind::NotFound.into()),
            },
            Order::Close(netns) => {
                let counted = self.close(&netns).await;
                self.settle_room();
                return (Answer::Counted(counted), Vec::new());
            }
            Order::Targets(change) => {
                self.targets.change(change);
                Ok(())
            }
            Order::EndIfIdle if !self.gate.shut_if_empty() => return (Answer::Busy, Vec::new()),
            Order::EndIfIdle | Order::End => {
                // Before it is answered: whoever connects from then on is the next one's.
                while let Some((_, open)) = self.open.pop_first() {
                    open.close().await;
                }
                Ok(())
            }
        };
        self.settle_room();
        let answer = match done {
            Ok(()) => Answer::Done,
            Err(error) => {
                warn!(%error, "an order could not be carried out");
                Answer::Failed(error.to_string())
            }
        };
        (answer, Vec::new())
    }

    /// After every change of what is open.
    fn settle_room(&self) {
        let own = self.open.values().map(Open::descriptors).sum();
        self.gate.set_room(room(descriptors::limit(), own));
    }

    async fn hello(&mut self) -> Hello {
        // One that lacks sockets was being opened by an agent that died over it: the next one does not know of it.
        let lacking = self.open.extract_if(.., |_, open| !open.is_served());
        for (_, open) in lacking.collect::<Vec<_>>() {
            open.close().await;
        }
        let open = self.open.iter();
        Hello {
            version: VERSION,
            build: build(),
            pid: std::process::id(),
            began: self.began.clone(),
            open: open
                .map(|(netns, open)| (netns.clone(), open.namespace.inode))
                .collect(),
        }
    }

    fn given(&self, netns: &PathBuf, from: usize) -> io::Result<Vec<OwnedFd>> {
        let open = self.open.get(netns).ok_or(io::ErrorKind::NotFound)?;
        let sockets = open.sockets.iter().skip(from).take(SOCKETS_MAX);
        let given = sockets.map(|socket| socket.as_fd().try_clone_to_owned());
        given.collect()
    }

    fn given_log(&self, netns: &PathBuf) -> io::Result<Vec<OwnedFd>> {
        let open = self.open.get(netns).ok_or(io::ErrorKind::NotFound)?;
        let ends = open.log_ends.iter();
        ends.map(OwnedFd::try_clone).collect()
    }

    async fn close(&mut self, netns: &PathBuf) -> Vec<Counted> {
        match self.open.remove(netns) {
            Some(open) => open.close().await,
            None => Vec::new(),
        }
    }
}

/// Names the executable of this process: another file is another build.
#[must_use]
pub fn build() -> String {
    let Ok(of) = std::fs::metadata("/proc/self/exe") else {
        return String::new();
    };
    format!(
        "{}:{}:{}.{}",
        of.dev(),
        of.ino(),
        of.mtime(),
        of.mtime_nsec()
    )
}
