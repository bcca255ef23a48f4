//! What agent and proxy say to each other.
//!
//! Sequenced packets of `runtime::wire` on `run/proxy.sock`: an order of the agent's, then the answer to it. The agent says
//! what there is to be, as differences to what it said before; the proxy keeps that for as long as it lives, and an
//! agent that comes next asks for it first ([`Order::Hello`]). Sockets pass in packets of a few: what a packet carries
//! is bounded.
//!
//! The two may be of different builds. A change of meaning gets another [`VERSION`], and a proxy of another version is
//! ended; members that are new get a default.

use super::proxy::Counts;
use crate::task::connect::ServiceConnect;
use aws_api::agent::host_sync::EndpointRow;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;

/// Of all that is below.
pub const VERSION: u32 = 3;
/// Sockets in one packet; `runtime::wire` takes one descriptor more.
pub const SOCKETS_MAX: usize = 5;

/// Agent to proxy. Each is answered.
#[derive(Debug, Serialize, Deserialize)]
pub enum Order {
    /// Who are you? [`Answer::Hello`], in every version.
    Hello,
    /// A namespace that is to be served, once it has all of its sockets. Another of the same name is closed first.
    /// Descriptors: the namespace; with an access log, the end of its pipe that is read, and the one that is written.
    /// [`Answer::Done`].
    Open(Namespace),
    /// The next so many sockets of an opened namespace, in the order of its listeners, then of its ingress. Descriptors:
    /// they. [`Answer::Done`].
    Sockets(PathBuf, usize),
    /// Gives so many sockets of an open namespace, from this one on, at most [`SOCKETS_MAX`]. [`Answer::Done`] with
    /// them.
    Give(PathBuf, usize),
    /// Gives both ends of an open namespace's access log. [`Answer::Done`] with them.
    GiveLog(PathBuf),
    /// Closes all that is open there: when it is answered no descriptor of the namespace's is left.
    /// [`Answer::Counted`], for the last time.
    Close(PathBuf),
    /// What is behind the endpoints. [`Answer::Done`].
    Targets(Targets),
    /// What was counted. Targets that are gone are in it for the last time. [`Answer::Counted`].
    Count,
    /// End, if no client is connected: [`Answer::Done`], and none is taken any more; else [`Answer::Busy`].
    EndIfIdle,
    /// End. [`Answer::Done`].
    End,
}

/// A namespace with what is served in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Namespace {
    /// Its name: where the agent has it.
    pub netns: PathBuf,
    /// Another one is another namespace of the same name.
    pub inode: u64,
    /// The task's ARN.
    pub task: String,
    /// On the bridge: where the host's own loopback, at which a target without another address is, is reached.
    pub gateway: Option<Ipv4Addr>,
    /// What is served there.
    pub wanted: ServiceConnect,
}

impl Namespace {
    /// How many sockets it has.
    #[must_use]
    pub fn sockets(&self) -> usize {
        self.wanted.listeners.len() + self.wanted.ingress.len()
    }
}

/// A change of what is behind the endpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Targets {
    /// Nothing else is known any more.
    pub is_all: bool,
    /// These are now so.
    pub put: Vec<EndpointRow>,
    /// These are unknown now.
    pub remove: Vec<String>,
}

/// Proxy to agent.
#[derive(Debug, Serialize, Deserialize)]
pub enum Answer {
    /// What it is.
    Hello(Hello),
    /// It was done.
    Done,
    /// It was not done: clients are connected.
    Busy,
    /// What was counted.
    Counted(Vec<Counted>),
    /// It was not done, and why.
    Failed(String),
}

/// A proxy's process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`VERSION`] of its build.
    pub version: u32,
    /// Names its executable.
    pub build: String,
    /// Its process id.
    pub pid: u32,
    /// Names this process among all: its counts began with it.
    pub began: String,
    /// What it serves: namespaces with their inodes.
    pub open: BTreeMap<PathBuf, u64>,
}

/// What was counted of one endpoint in one namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// The task's ARN.
    pub task: String,
    /// Of the endpoint.
    pub discovery_name: String,
    /// All.
    pub counts: Counts,
    /// By the target's id.
    pub targets: BTreeMap<String, Counts>,
}
