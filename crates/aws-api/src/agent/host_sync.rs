//! Host sync: what a host has to hold of the VPCs whose interfaces it has. ACS has no message for it.
//!
//! One websocket for each host. The server sends all rows at connect ([`ToHost::State`]), then what
//! changed, each time with a greater revision; the host answers what it has applied. Rows are plain
//! data: the host knows no rule of AWS's, only what to put where.
//!
//! What always holds: a row's key is unique in a state; a row that names another (an interface its
//! group set) comes with it, in the same state or change; applying a message twice changes nothing.
//! Rule: design section 6, "Joining, and host sync".

mod compiled;
mod rows;

pub use compiled::{Compiled, FromGroups, FromRange, IcmpTypes, Ports, Protocols, What};
pub use rows::{
    AclEntry, Destination, EndpointRow, EndpointTarget, GroupSetRow, HostEncryption, HostRow,
    InterfaceRow, NameRow, NameValue, Route, Row, RowKey, SubnetRow, VpcRow,
};

use serde::{Deserialize, Serialize};

/// A message to a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum ToHost {
    /// All that it shall hold; what it holds beside is to go.
    State {
        /// Grows with every message of a connection; begins anew with the next one.
        revision: u64,
        /// In the order of their keys.
        rows: Vec<Row>,
    },
    /// What changed.
    Change {
        /// See [`ToHost::State`].
        revision: u64,
        /// New rows, and rows that are other than they were.
        put: Vec<Row>,
        /// Rows to forget.
        remove: Vec<RowKey>,
    },
}

/// A message of a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum FromHost {
    /// Everything up to this revision is in the kernel.
    Applied {
        /// The greatest such revision.
        revision: u64,
    },
    /// Nothing of this interface is left: its address may be given to another.
    Removed {
        /// `eni-…`.
        interface: String,
    },
    /// A row could not be applied.
    Failed {
        /// Which.
        key: RowKey,
        /// For the operator.
        why: String,
    },
}
