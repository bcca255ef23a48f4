//! Ports in use. Equal sets are one value with a number, so that comparing them is cheap.

use imbl::{OrdMap, Vector};
use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Arc;

/// Rule: API reference, PortMapping, `hostPort`: host ports of an instance at a time, those that are reserved by default
/// among them; not those that the agent chooses.
pub(super) const PORTS_MAX: usize = 100;

/// How many more host ports an instance takes that uses these.
pub(super) fn left(tcp: &BTreeSet<u16>, udp: &BTreeSet<u16>) -> usize {
    PORTS_MAX.saturating_sub(tcp.len() + udp.len())
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ports {
    pub(super) tcp: BTreeSet<u16>,
    pub(super) udp: BTreeSet<u16>,
}

/// Ports in use on an instance.
#[derive(Clone, Debug, Default)]
pub(super) struct InUse {
    ports: Arc<Ports>,
    /// Of its set, once it is known to [`PortSets`].
    pub(super) number: u32,
}

impl InUse {
    pub(super) fn new(ports: Ports) -> Self {
        let ports = Arc::new(ports);
        Self { ports, number: 0 }
    }

    /// Whether both are the very same value; equal ones may not be.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.ports, &other.ports)
    }
}

impl Deref for InUse {
    type Target = Ports;

    fn deref(&self) -> &Ports {
        &self.ports
    }
}

/// Every set of ports that some instance has in use, and how many have.
#[derive(Clone, Debug, Default)]
pub(super) struct PortSets {
    sets: OrdMap<Arc<Ports>, (u32, usize)>,
    vacant: Vector<u32>,
}

impl PortSets {
    /// The value that stands for all equal ones; one instance more has it.
    pub(super) fn share(&mut self, in_use: &InUse) -> InUse {
        let known = self.sets.get_key_value(&in_use.ports);
        let (ports, number, count) = match known {
            Some((ports, (number, count))) => (ports.clone(), *number, *count),
            None => {
                let next = self.vacant.pop_back().unwrap_or(self.sets.len() as u32);
                (in_use.ports.clone(), next, 0)
            }
        };
        self.sets.insert(ports.clone(), (number, count + 1));
        InUse { ports, number }
    }

    /// One instance less has it.
    pub(super) fn unshare(&mut self, in_use: &InUse) {
        match self.sets.get_mut(&in_use.ports) {
            None => {}
            Some((_, count)) if *count > 1 => *count -= 1,
            Some((number, _)) => {
                self.vacant.push_back(*number);
                self.sets.remove(&in_use.ports);
            }
        }
    }
}
