//! What must always hold (design, section 8: 1, 2, 4, 9), looked at after every step that could
//! break it.
//!
//! It counts for itself, over the records and over what really runs on the hosts; it asks none of
//! the sums that placement keeps.

use crate::event::HostIndex;
use crate::server::Newest;
use crate::service_check::runs_for;
use crate::simulation::Simulation;
use crate::workload::FAMILIES;
use ecs::instance::load;
use ecs::records::container_instance::Connection;
use ecs::records::{
    CONTAINER_INSTANCES, InstanceId, InstanceKey, InstanceStatus, TASKS, TaskKey, TaskRecord,
};
use ecs::task::delivery;
use ecs::task::status::{DesiredStatus, TaskStatus};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::Change;

/// How long a container may run on a connected host although nobody wants it: a stop takes stop
/// timeout, SIGKILL and a kernel that takes its time, for one container after another.
const UNWANTED_MAX: u64 = 180_000;
/// How long a task may wait on a connected host: several slow pulls and a health check.
const WAITING_MAX: u64 = 15 * 60_000;
/// How long a lost host's task may count as running: each step takes two of them.
const LOST_MAX: u64 = 60_000;
/// Fields of a task's key.
const TASK_TABLE: &str = "ecs.tasks";

/// What was seen so far.
#[derive(Debug, Default)]
pub struct Check {
    /// Host of each instance.
    pub owners: BTreeMap<InstanceId, HostIndex>,
    /// Every task there is, as last committed, by ARN.
    known: BTreeMap<String, Arc<TaskRecord>>,
    /// Where each task's containers ran.
    ran_on: BTreeMap<String, HostIndex>,
    /// Since when a task runs on a connected host without being wanted.
    unwanted: BTreeMap<(HostIndex, String), u64>,
    /// Since when a task owes a change on a connected host.
    waiting: BTreeMap<(InstanceId, String), u64>,
    /// Since when a task of a lost host counts as running.
    lost: BTreeMap<String, u64>,
}

impl Check {
    /// What is recorded of a task.
    pub fn record(&self, arn: &str) -> Option<&Arc<TaskRecord>> {
        self.known.get(arn)
    }

    /// Whether this task is recorded.
    pub fn knows(&self, arn: &str) -> bool {
        self.known.contains_key(arn)
    }

    /// Whether this task is recorded and not asked to stop.
    pub fn is_wanted(&self, arn: &str) -> bool {
        let record = self.known.get(arn);
        record.is_some_and(|task| task.desired == DesiredStatus::Running)
    }

    /// A server begins: what waited for one waits anew.
    pub fn server_started(&mut self) {
        self.lost.clear();
    }

    /// A session begins: what waited for one waits anew.
    pub fn session_opened(&mut self, host: HostIndex, instance: &InstanceKey) {
        self.unwanted.retain(|(of, _), _| *of != host);
        self.waiting.retain(|(of, _), _| *of != instance.id);
    }
}

impl Simulation {
    /// After a commit: what became of the tasks that it changed, and what their instances hold.
    pub fn check_commit(&mut self, changes: &[Change]) {
        self.check_interfaces(changes);
        let mut instances = BTreeSet::new();
        for change in changes.iter().filter(|change| change.table == TASK_TABLE) {
            let mut parts = change.key.reader();
            let mut part = || parts.text().unwrap_or_default();
            let (account, region, cluster, id) = (part(), part(), part(), part());
            let scope = aws_types::Scope::new(&account, &region);
            let key = TaskKey::new(&scope, &cluster, &id);
            instances.extend(self.check_task(&key));
        }
        for key in instances {
            self.check_instance(&key);
            if let Some(host) = self.check.owners.get(&key.id).copied() {
                self.check_kept(host);
            }
        }
    }

    fn check_task(&mut self, key: &TaskKey) -> Option<InstanceKey> {
        let arn = key.arn();
        let now = self.server.published.get(&TASKS, key).cloned();
        let before = match &now {
            Some(task) => self.check.known.insert(arn.clone(), task.clone()),
            None => self.check.known.remove(&arn),
        };
        let Some(task) = now else {
            self.check.ran_on.remove(&arn);
            let is_over = |task: &TaskRecord| !task.holds && task.times.stopped.is_some();
            if before.is_some_and(|before| !is_over(&before)) {
                self.violate(1, format!("{arn} was removed before it was over"));
            }
            return None;
        };
        if task.last_status != TaskStatus::Stopped && !task.holds {
            self.violate(2, format!("{arn} lives and holds nothing"));
        }
        if let Some(before) = before {
            if before.instance != task.instance {
                self.violate(2, format!("{arn} went to a second instance"));
            }
            let was_stopped = before.last_status == TaskStatus::Stopped;
            let is_back = was_stopped && task.last_status != TaskStatus::Stopped;
            let is_wanted_again =
                before.desired == DesiredStatus::Stopped && task.desired == DesiredStatus::Running;
            if is_back || is_wanted_again || (task.holds && !before.holds) {
                self.violate(1, format!("{arn} came back from its end"));
            }
        }
        Some(task.instance_key())
    }

    /// What is held of an instance, summed over its tasks.
    fn check_instance(&mut self, key: &InstanceKey) {
        let world = self.server.published.clone();
        let Some(instance) = world.get(&CONTAINER_INSTANCES, key) else {
            return;
        };
        let (mut cpu, mut memory, mut single) = (0, 0, BTreeSet::new());
        for task in load::held(&world, key) {
            let reserved = &task.reserved;
            cpu += reserved.cpu_units;
            memory += reserved.memory_mib;
            let tcp = reserved.tcp.iter().map(|port| format!("tcp {port}"));
            let udp = reserved.udp.iter().map(|port| format!("udp {port}"));
            for one in tcp.chain(udp).chain(reserved.gpus.iter().cloned()) {
                if !single.insert(one.clone()) {
                    let arn = key.arn();
                    self.violate(2, format!("two tasks hold {one} of {arn}"));
                }
            }
        }
        let registered = &instance.registered;
        if cpu > registered.cpu_units || memory > registered.memory_mib {
            let (arn, of) = (key.arn(), (registered.cpu_units, registered.memory_mib));
            self.violate(
                2,
                format!("{cpu} CPU units and {memory} MiB are held of {arn}, which has {of:?}"),
            );
        }
    }

    /// What an agent acknowledged, and was not told that its end is known, is on its disk.
    pub fn check_kept(&mut self, host: HostIndex) {
        let world = self.server.published.clone();
        let owned = self.check.owners.iter().filter(|(_, of)| **of == host);
        let ids: BTreeSet<_> = owned.map(|(id, _)| id.clone()).collect();
        let owned = world
            .scan(&CONTAINER_INSTANCES)
            .filter(|instance| ids.contains(&instance.key.id));
        for instance in owned.filter(|instance| instance.status != InstanceStatus::Inactive) {
            for task in load::held(&world, &instance.key) {
                let arn = task.key.arn();
                let is_kept = self.hosts[host].machine.disk.tasks.contains_key(&arn);
                if task.delivery.acknowledged > 0 && !is_kept {
                    let name = self.hosts[host].name.clone();
                    let what = format!("{name} acknowledged {arn}, which is held, and lost it");
                    self.violate(1, what);
                }
            }
        }
    }

    /// A request failed: everything is as it was before.
    pub fn check_failed(&mut self, before: &Newest) {
        let now = self.server.newest();
        let is_same = now.waiting == before.waiting && now.world.has_rows_of(&before.world);
        if !is_same {
            self.violate(1, "a request failed and changed something".into());
        }
    }

    /// A program starts: of a task that is recorded, where none of its programs ran elsewhere.
    pub fn check_start(&mut self, host: HostIndex, arn: &str) {
        let first = *self.check.ran_on.entry(arn.into()).or_insert(host);
        if first != host {
            self.violate(2, format!("{arn} runs on hosts {first} and {host}"));
        }
        self.check_room(host, arn);
    }

    /// A host port of one task was found taken by another.
    pub fn check_port_clash(&mut self, arn: &str, other: &str) {
        let instance = |arn: &str| self.check.known.get(arn).map(|task| task.instance.clone());
        // A host that was deregistered by force may still run what nobody counts any more.
        if instance(arn).is_some() && instance(arn) == instance(other) {
            self.violate(2, format!("{arn} and {other} have one host port"));
        }
    }

    /// On a connected host: what runs is wanted, and what is owed comes.
    pub fn check_session(&mut self, session: u64) {
        let Some(found) = self.sessions.get(&session) else {
            return;
        };
        let (host, instance) = (found.agent.host, found.instance.clone());
        let record = self.server.published.get(&CONTAINER_INSTANCES, &instance);
        if record.is_none_or(|record| record.status == InstanceStatus::Inactive) {
            // Deregistered by force: what runs goes on and is nobody's business (API reference).
            return;
        }
        let (now, mut late) = (self.now, Vec::new());
        let unwanted = &mut self.check.unwanted;
        let running = self.hosts[host].machine.running();
        unwanted.retain(|(of, arn), _| *of != host || running.contains(arn.as_str()));
        for arn in running {
            let record = self.check.known.get(arn);
            let is_wanted = record.is_some_and(|task| {
                task.holds && task.instance == instance.id && task.desired == DesiredStatus::Running
            });
            let key = (host, arn.to_owned());
            if is_wanted {
                unwanted.remove(&key);
            } else if now - *unwanted.entry(key).or_insert(now) > UNWANTED_MAX {
                late.push((4, format!("{arn} runs on host {host} and nobody wants it")));
            }
        }
        let waiting = &mut self.check.waiting;
        let mut owing = BTreeSet::new();
        for task in load::held(&self.server.published, &instance) {
            let is_pending = task.last_status == TaskStatus::Pending;
            if is_pending || task.desired == DesiredStatus::Stopped {
                let key = (instance.id.clone(), task.key.arn());
                owing.insert(key.clone());
                if now - *waiting.entry(key).or_insert(now) > WAITING_MAX {
                    let (arn, status) = (task.key.arn(), task.last_status);
                    late.push((9, format!("{arn} waits, {status:?}, on host {host}")));
                }
            }
        }
        waiting.retain(|key, _| key.0 != instance.id || owing.contains(key));
        for (invariant, what) in late {
            self.violate(invariant, what);
        }
    }

    /// The tasks of a lost host do not count as running for long.
    pub fn check_lost(&mut self) {
        let world = self.server.published.clone();
        let mut seen = BTreeSet::new();
        for instance in world.scan(&CONTAINER_INSTANCES) {
            if !matches!(instance.connection, Connection::Lost(_)) {
                continue;
            }
            let living = load::held(&world, &instance.key)
                .filter(|task| task.last_status != TaskStatus::Stopped);
            for task in living {
                let arn = task.key.arn();
                let since = *self.check.lost.entry(arn.clone()).or_insert(self.now);
                if self.now - since > LOST_MAX {
                    self.violate(9, format!("{arn} counts as running on a lost host"));
                }
                seen.insert(arn);
            }
        }
        self.check.lost.retain(|arn, _| seen.contains(arn));
    }

    /// The end: everything has come to rest and nothing is left anywhere.
    pub fn check_rest(&mut self) {
        let world = self.server.published.clone();
        for task in world.scan(&TASKS) {
            if task.holds || task.last_status != TaskStatus::Stopped {
                let (arn, status) = (task.key.arn(), task.last_status);
                self.violate(9, format!("{arn} did not come to its end: {status:?}"));
            }
        }
        for instance in world.scan(&CONTAINER_INSTANCES) {
            let free = load::of(&world, instance).free;
            let all = &instance.registered;
            if free.cpu_units != all.cpu_units || free.gpus.len() != all.gpus.len() {
                self.violate(2, format!("{} is not free again", instance.key.arn()));
            }
            if !delivery::undelivered(&world, &instance.key, &[]).is_empty() {
                self.violate(9, format!("{} was not told all", instance.key.arn()));
            }
        }
        let open = self.sessions.values().filter(|s| s.open_since.is_some());
        if open.count() != self.hosts.len() {
            self.violate(9, "a host did not come back".into());
        }
        for host in 0..self.hosts.len() {
            if let Some(what) = self.hosts[host].machine.leftover() {
                self.violate(4, format!("{what} is left on host {host}"));
            }
        }
    }

    /// Mean milliseconds for which a program of this task's container runs.
    pub fn runs_for(&self, arn: &str, container: &str) -> u64 {
        let task = self.check.known.get(arn);
        let family = FAMILIES
            .iter()
            .find(|family| task.is_some_and(|task| task.family == family.name));
        let of_service = task.and_then(|task| runs_for(&task.family));
        match container {
            "init" => 2000,
            _ if of_service.is_some() => of_service.unwrap_or(0),
            _ => family.map_or(1000, |family| family.runs_for),
        }
    }
}
