//! One instance as the placement index keeps it: what it offers, what its tasks hold of it, and by
//! that its place in the orders.

use super::index::Attributes;
use super::problem::Standing;
use super::tree::{Amounts, Entry, Id};
use imbl::OrdMap;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Arc;

/// What an instance offers, as registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// Whether it takes tasks.
    pub standing: Standing,
    /// Its attributes.
    pub attributes: Attributes,
    /// CPU units and memory in MiB.
    pub size: Amounts,
    /// Its GPUs' ids.
    pub gpus: Vec<String>,
    /// TCP ports that it uses itself.
    pub tcp: Vec<u16>,
    /// UDP ports that it uses itself.
    pub udp: Vec<u16>,
}

/// What one task holds of its instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Its group.
    pub group: Arc<str>,
    /// Whether it counts for its group: it is not asked to stop.
    pub is_active: bool,
    /// Whether it may still run though it counts as STOPPED.
    pub is_unconfirmed: bool,
    /// CPU units and memory in MiB.
    pub size: Amounts,
    /// GPUs' ids.
    pub gpus: Vec<String>,
    /// TCP ports.
    pub tcp: Vec<u16>,
    /// UDP ports.
    pub udp: Vec<u16>,
}

/// One instance.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    pub(super) seat: Option<Arc<Seat>>,
    pub(super) kind: u32,
    taken: (u32, u32),
    pub(super) tasks: u32,
    unconfirmed: u32,
    gpus: Vec<String>,
    tcp: Vec<u16>,
    udp: Vec<u16>,
    pub(super) in_use: InUse,
    pub(super) groups: OrdMap<Arc<str>, u32>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ports {
    pub(super) tcp: BTreeSet<u16>,
    pub(super) udp: BTreeSet<u16>,
}

/// Ports in use. Equal ones are one value shared by the cluster, so that comparing them is cheap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct InUse(Arc<Ports>);

impl InUse {
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Deref for InUse {
    type Target = Ports;

    fn deref(&self) -> &Ports {
        &self.0
    }
}

impl Ord for InUse {
    fn cmp(&self, other: &Self) -> Ordering {
        match self.is(other) {
            true => Ordering::Equal,
            false => self.0.cmp(&other.0),
        }
    }
}

impl PartialOrd for InUse {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ClassKey {
    pub(super) kind: u32,
    /// Full instances would otherwise stand in the way of every order but that by what is free.
    pub(super) level: Level,
    pub(super) in_use: InUse,
}

/// Roughly how much is free: CPU and memory, by powers of four.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Level(u32, u32);

impl Level {
    pub(super) fn of(amounts: Amounts) -> Self {
        let level = |amount: u32| (u32::BITS - amount.leading_zeros()).div_ceil(2);
        Self(level(amounts.cpu_units), level(amounts.memory_mib))
    }

    /// Whether an instance of this level can have as much as the other's.
    pub(super) fn reaches(self, wanted: Self) -> bool {
        self.0 >= wanted.0 && self.1 >= wanted.1
    }
}

impl Node {
    /// It is registered so, or is no more; gives its kind until now.
    pub(super) fn seat(&mut self, kind: u32, seat: Option<Arc<Seat>>) -> Option<u32> {
        let was = self.counted_kind();
        self.kind = kind;
        self.seat = seat;
        self.sum_ports();
        was
    }

    /// A task begins to hold this.
    pub(super) fn take(&mut self, hold: &Hold) {
        self.taken.0 += hold.size.cpu_units;
        self.taken.1 += hold.size.memory_mib;
        self.tasks += 1;
        self.unconfirmed += u32::from(hold.is_unconfirmed);
        self.gpus.extend_from_slice(&hold.gpus);
        if hold.is_active {
            let count = self.of_group(&hold.group) + 1;
            self.groups.insert(hold.group.clone(), count);
        }
        if !hold.tcp.is_empty() || !hold.udp.is_empty() {
            self.tcp.extend_from_slice(&hold.tcp);
            self.udp.extend_from_slice(&hold.udp);
            self.sum_ports();
        }
    }

    /// A task holds it no more.
    pub(super) fn release(&mut self, hold: &Hold) {
        self.taken.0 -= hold.size.cpu_units;
        self.taken.1 -= hold.size.memory_mib;
        self.tasks -= 1;
        self.unconfirmed -= u32::from(hold.is_unconfirmed);
        take_out(&mut self.gpus, &hold.gpus);
        if hold.is_active {
            match self.of_group(&hold.group) {
                0 | 1 => self.groups.remove(&hold.group),
                count => self.groups.insert(hold.group.clone(), count - 1),
            };
        }
        if !hold.tcp.is_empty() || !hold.udp.is_empty() {
            take_out(&mut self.tcp, &hold.tcp);
            take_out(&mut self.udp, &hold.udp);
            self.sum_ports();
        }
    }

    pub(super) fn of_group(&self, name: &str) -> u32 {
        self.groups.get(name).copied().unwrap_or(0)
    }

    /// The GPUs that no task holds, in the order registered.
    pub(super) fn free_gpus(&self) -> impl Iterator<Item = &String> {
        let of_seat = self.seat.iter().flat_map(|seat| seat.gpus.iter());
        of_seat.filter(|gpu| !self.gpus.contains(gpu))
    }

    pub(super) fn free(&self) -> Amounts {
        let size = self.seat.as_ref().map(|seat| seat.size).unwrap_or_default();
        Amounts {
            cpu_units: size.cpu_units.saturating_sub(self.taken.0),
            memory_mib: size.memory_mib.saturating_sub(self.taken.1),
            gpus: u32::try_from(self.free_gpus().count()).unwrap_or(u32::MAX),
        }
    }

    pub(super) fn standing(&self) -> Option<Standing> {
        let seat = self.seat.as_ref()?;
        Some(match seat.standing {
            // Tasks that counted as stopped while their host was lost may still run there.
            Standing::Ready if self.unconfirmed > 0 => Standing::AgentAway,
            other => other,
        })
    }

    pub(super) fn counted_kind(&self) -> Option<u32> {
        self.seat.is_some().then_some(self.kind)
    }

    pub(super) fn class(&self) -> Option<ClassKey> {
        (self.standing() == Some(Standing::Ready)).then(|| ClassKey {
            kind: self.kind,
            level: Level::of(self.free()),
            in_use: self.in_use.clone(),
        })
    }

    pub(super) fn by_memory(&self, id: &Id) -> Entry {
        let free = self.free();
        entry((free.memory_mib, free.cpu_units), id, free)
    }

    pub(super) fn by_cpu(&self, id: &Id) -> Entry {
        let free = self.free();
        entry((free.cpu_units, free.memory_mib), id, free)
    }

    pub(super) fn by_tasks(&self, id: &Id) -> Entry {
        entry((self.tasks, 0), id, self.free())
    }

    fn sum_ports(&mut self) {
        let own = self.seat.as_deref();
        let all = |own: Option<&Vec<u16>>, tasks: &[u16]| {
            own.into_iter().flatten().chain(tasks).copied().collect()
        };
        self.in_use = InUse(Arc::new(Ports {
            tcp: all(own.map(|seat| &seat.tcp), &self.tcp),
            udp: all(own.map(|seat| &seat.udp), &self.udp),
        }));
    }
}

fn entry(rank: (u32, u32), id: &Id, free: Amounts) -> Entry {
    let id = id.clone();
    Entry { rank, id, free }
}

/// Takes each of these out once.
fn take_out<T: PartialEq>(from: &mut Vec<T>, these: &[T]) {
    for one in these {
        if let Some(at) = from.iter().position(|held| held == one) {
            from.swap_remove(at);
        }
    }
}
