//! One instance as the placement index keeps it: what it offers, what its tasks hold of it, and by
//! that its place in the orders.

use super::index::Attributes;
use super::ports::{InUse, Ports};
use super::problem::Standing;
use super::tree::{Amounts, Entry};
use std::sync::Arc;

/// What an instance offers, as registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// Whether it takes tasks.
    pub standing: Standing,
    /// Its attributes.
    pub attributes: Attributes,
    /// CPU units, memory in MiB, interfaces.
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
    /// CPU units, memory in MiB, interfaces.
    pub size: Amounts,
    /// GPUs' ids.
    pub gpus: Vec<String>,
    /// TCP ports.
    pub tcp: Vec<u16>,
    /// UDP ports.
    pub udp: Vec<u16>,
}

impl Hold {
    /// What an instance must have free for such a task.
    pub(super) fn wanted(&self) -> Amounts {
        Amounts {
            gpus: u32::try_from(self.gpus.len()).unwrap_or(u32::MAX),
            ..self.size
        }
    }
}

/// One instance.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) id: Arc<str>,
    pub(super) seat: Option<Arc<Seat>>,
    kind: u32,
    taken: Amounts,
    pub(super) tasks: u32,
    unconfirmed: u32,
    gpus: Vec<String>,
    tcp: Vec<u16>,
    udp: Vec<u16>,
    pub(super) in_use: InUse,
    /// Numbers of groups with how many active tasks each has here, in order of number.
    pub(super) groups: Vec<(u32, u32)>,
}

/// What instances that differ by amounts alone have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ClassKey {
    pub(super) kind: u32,
    /// The number of the set of ports in use.
    pub(super) ports: u32,
}

/// Where an instance stands in the orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) slot: u32,
    /// Where it is registered.
    pub(super) kind: Option<u32>,
    /// Where it takes tasks.
    pub(super) class: Option<ClassKey>,
    free: Amounts,
    tasks: u32,
}

impl Spot {
    /// Whether it is registered and has as much free.
    pub(super) fn has_room(&self, size: Amounts) -> bool {
        self.kind.is_some() && self.free.covers(size)
    }

    pub(super) fn by_memory(&self) -> Entry {
        self.entry((self.free.memory_mib, self.free.cpu_units))
    }

    pub(super) fn by_cpu(&self) -> Entry {
        self.entry((self.free.cpu_units, self.free.memory_mib))
    }

    pub(super) fn by_tasks(&self) -> Entry {
        self.entry((self.tasks, 0))
    }

    fn entry(&self, rank: (u32, u32)) -> Entry {
        Entry {
            rank,
            slot: self.slot,
            free: self.free,
        }
    }
}

impl Node {
    pub(super) fn new(id: Arc<str>, in_use: InUse) -> Self {
        Self {
            id,
            seat: None,
            kind: 0,
            taken: Amounts::default(),
            tasks: 0,
            unconfirmed: 0,
            gpus: Vec::new(),
            tcp: Vec::new(),
            udp: Vec::new(),
            in_use,
            groups: Vec::new(),
        }
    }

    /// It is registered so, or is no more; gives its kind until now.
    pub(super) fn seat(&mut self, kind: u32, seat: Option<Arc<Seat>>) -> Option<u32> {
        let was = self.counted_kind();
        self.kind = kind;
        self.seat = seat;
        self.sum_ports();
        was
    }

    /// A task begins to hold this; where it is active, with the number of its group.
    pub(super) fn take(&mut self, hold: &Hold, group: Option<u32>) {
        self.taken.cpu_units += hold.size.cpu_units;
        self.taken.memory_mib += hold.size.memory_mib;
        self.taken.interfaces += hold.size.interfaces;
        self.tasks += 1;
        self.unconfirmed += u32::from(hold.is_unconfirmed);
        self.gpus.extend_from_slice(&hold.gpus);
        if let Some(group) = group {
            match self.place_of(group) {
                Ok(at) => self.groups[at].1 += 1,
                Err(at) => self.groups.insert(at, (group, 1)),
            }
        }
        if !hold.tcp.is_empty() || !hold.udp.is_empty() {
            self.tcp.extend_from_slice(&hold.tcp);
            self.udp.extend_from_slice(&hold.udp);
            self.sum_ports();
        }
    }

    /// A task holds it no more.
    pub(super) fn release(&mut self, hold: &Hold, group: Option<u32>) {
        self.taken.cpu_units -= hold.size.cpu_units;
        self.taken.memory_mib -= hold.size.memory_mib;
        self.taken.interfaces -= hold.size.interfaces;
        self.tasks -= 1;
        self.unconfirmed -= u32::from(hold.is_unconfirmed);
        take_out(&mut self.gpus, &hold.gpus);
        if let Some(at) = group.and_then(|group| self.place_of(group).ok()) {
            self.groups[at].1 -= 1;
            if self.groups[at].1 == 0 {
                self.groups.remove(at);
            }
        }
        if !hold.tcp.is_empty() || !hold.udp.is_empty() {
            take_out(&mut self.tcp, &hold.tcp);
            take_out(&mut self.udp, &hold.udp);
            self.sum_ports();
        }
    }

    pub(super) fn of_group(&self, group: u32) -> u32 {
        self.place_of(group).map_or(0, |at| self.groups[at].1)
    }

    fn place_of(&self, group: u32) -> Result<usize, usize> {
        self.groups.binary_search_by_key(&group, |(of, _)| *of)
    }

    /// The GPUs that no task holds, in the order registered.
    pub(super) fn free_gpus(&self) -> impl Iterator<Item = &String> {
        let of_seat = self.seat.iter().flat_map(|seat| seat.gpus.iter());
        of_seat.filter(|gpu| !self.gpus.contains(gpu))
    }

    pub(super) fn free(&self) -> Amounts {
        let size = self.seat.as_ref().map(|seat| seat.size).unwrap_or_default();
        Amounts {
            cpu_units: size.cpu_units.saturating_sub(self.taken.cpu_units),
            memory_mib: size.memory_mib.saturating_sub(self.taken.memory_mib),
            gpus: u32::try_from(self.free_gpus().count()).unwrap_or(u32::MAX),
            interfaces: size.interfaces.saturating_sub(self.taken.interfaces),
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

    pub(super) fn spot(&self, slot: u32) -> Spot {
        Spot {
            slot,
            kind: self.counted_kind(),
            class: (self.standing() == Some(Standing::Ready)).then_some(ClassKey {
                kind: self.kind,
                ports: self.in_use.number,
            }),
            free: self.free(),
            tasks: self.tasks,
        }
    }

    fn sum_ports(&mut self) {
        let own = self.seat.as_deref();
        let all = |own: Option<&Vec<u16>>, tasks: &[u16]| {
            own.into_iter().flatten().chain(tasks).copied().collect()
        };
        self.in_use = InUse::new(Ports {
            tcp: all(own.map(|seat| &seat.tcp), &self.tcp),
            udp: all(own.map(|seat| &seat.udp), &self.udp),
        });
    }
}

/// Takes each of these out once.
fn take_out<T: PartialEq>(from: &mut Vec<T>, these: &[T]) {
    for one in these {
        if let Some(at) = from.iter().position(|held| held == one) {
            from.swap_remove(at);
        }
    }
}
