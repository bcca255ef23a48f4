//! Keeps every service's desired count: wakes the services that a committed batch concerns, and has
//! each do what its plan says.
//!
//! A change costs what it concerns: the service of a task; those on an instance, the DAEMON services
//! of its cluster, and those that wait for room.

use super::Controllers;
use super::queue::Queue;
use crate::clock;
use aws_types::{AwsError, Timestamp};
use ecs::instance::load;
use ecs::records::container_instance::CONTAINER_INSTANCES;
use ecs::records::service::{
    DAEMONS, GROUP_PREFIX, LACKS_ROOM, SERVICES, ServiceKey, ServiceStatus, cluster_parts,
};
use ecs::records::service_deployment::SERVICE_DEPLOYMENTS;
use ecs::records::task::{TASKS, TaskRecord};
use ecs::service::apply;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;
use store::{CommittedBatch, Key, World};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tracing::warn;

/// Services that are worked on at once: their steps share commits.
const ACTIVE_LEN_MAX: usize = 64;
/// A failed activation is planned again after this time.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// When to look at a service again.
type Ended = Result<Option<Timestamp>, AwsError>;

/// The services that are being worked on.
#[derive(Default)]
struct Active {
    tasks: JoinSet<Ended>,
    keys: HashMap<tokio::task::Id, ServiceKey>,
}

impl Active {
    fn is_full(&self) -> bool {
        self.tasks.len() >= ACTIVE_LEN_MAX
    }

    fn start(&mut self, shared: &Controllers, key: ServiceKey) {
        let activation = activate(shared.clone(), key.clone());
        let id = self.tasks.spawn(activation).id();
        self.keys.insert(id, key);
    }

    /// Waits for the next one to end; for ever where there is none.
    async fn next(&mut self) -> (ServiceKey, Option<Timestamp>) {
        loop {
            let Some(ended) = self.tasks.join_next_with_id().await else {
                std::future::pending::<()>().await;
                continue;
            };
            let (id, ended) = match ended {
                Ok((id, ended)) => (id, ended.map_err(|error| format!("{error:?}"))),
                Err(error) => (error.id(), Err(error.to_string())),
            };
            if let Some(key) = self.keys.remove(&id) {
                return (key.clone(), wake_at(&key, ended));
            }
        }
    }
}

fn wake_at(key: &ServiceKey, ended: Result<Option<Timestamp>, String>) -> Option<Timestamp> {
    ended.unwrap_or_else(|error| {
        warn!(service = key.arn(), error, "a service was not looked after");
        Some(clock::now().plus(AFTER_FAILURE))
    })
}

/// Runs until the store's writer ends.
pub async fn run(shared: Controllers) {
    let mut changes = shared.state.subscribe();
    let mut queue = Queue::default();
    let mut active = Active::default();
    let mut tick = Instant::now();
    loop {
        while !active.is_full()
            && let Some(key) = queue.take(clock::now())
        {
            active.start(&shared, key);
        }
        let alarm = alarm(&queue, active.is_full());
        tokio::select! {
            batch = changes.next() => match batch {
                None => return,
                Some(Ok(batch)) => add(&mut queue, concerned(&shared.state.snapshot(), &batch)),
                // Fell behind: look at everything.
                Some(Err(_)) => add(&mut queue, all(&shared.state.snapshot())),
            },
            (key, wake_at) = active.next() => queue.done(key, wake_at),
            () = sleep_until(alarm) => {}
            () = sleep_until(tick) => {
                tick = Instant::now() + shared.timing.slow_tick;
                add(&mut queue, all(&shared.state.snapshot()));
            }
        }
    }
}

fn add(queue: &mut Queue<ServiceKey>, keys: BTreeSet<ServiceKey>) {
    let now = clock::now();
    for key in keys {
        queue.add(key, now);
    }
}

/// When the next key is due; with no room for it, only something else can happen first.
fn alarm(queue: &Queue<ServiceKey>, is_full: bool) -> Instant {
    let idle = Duration::from_secs(3600);
    let due = queue.next_due().filter(|_| !is_full);
    Instant::now() + due.map_or(idle, |due| due.since(clock::now()))
}

/// Does what is to be done for one service; when to look again.
async fn activate(shared: Controllers, key: ServiceKey) -> Ended {
    let waits = shared.timing.services;
    let (is_due, wake_at) = apply::is_due(&shared.state.snapshot(), &key, clock::now(), waits);
    if !is_due {
        return Ok(wake_at);
    }
    let own = Controllers {
        scope: key.scope.clone(),
        ..shared
    };
    loop {
        let of = key.clone();
        let step = own.step("services", move |txn, ctx| {
            Ok(apply::step(txn, ctx, &of, waits))
        });
        let outcome = step.await?;
        if !outcome.has_more {
            return Ok(outcome.wake_at);
        }
    }
}

fn all(world: &World) -> BTreeSet<ServiceKey> {
    let services = world.scan(&SERVICES);
    let kept = services.filter(|service| service.status != ServiceStatus::Inactive);
    kept.map(|service| service.key.clone()).collect()
}

/// The services that these changes may concern.
fn concerned(world: &World, batch: &CommittedBatch) -> BTreeSet<ServiceKey> {
    let mut keys = BTreeSet::new();
    let mut roomier: BTreeSet<Key> = BTreeSet::new();
    for (table, key) in &batch.changes {
        if *table == SERVICES.name() {
            let found = world.scan_prefix(&SERVICES, key, None).next();
            keys.extend(found.map(|(_, service)| service.key.clone()));
        } else if *table == SERVICE_DEPLOYMENTS.name() {
            let found = world.scan_prefix(&SERVICE_DEPLOYMENTS, key, None).next();
            keys.extend(found.map(|(_, deployment)| deployment.key.service.clone()));
        } else if *table == TASKS.name() {
            let Some((_, task)) = world.scan_prefix(&TASKS, key, None).next() else {
                continue;
            };
            keys.extend(service_of(task));
            if !task.holds {
                roomier.insert(cluster_parts(&task.key.scope, &task.key.cluster));
            }
        } else if *table == CONTAINER_INSTANCES.name() {
            let Some((_, instance)) = world.scan_prefix(&CONTAINER_INSTANCES, key, None).next()
            else {
                continue;
            };
            let of = &instance.key;
            let cluster = cluster_parts(&of.scope, &of.cluster);
            keys.extend(load::held(world, of).filter_map(|task| service_of(task)));
            let daemons = world.find(&SERVICES, &DAEMONS, &cluster);
            keys.extend(daemons.map(|service| service.key.clone()));
            roomier.insert(cluster);
        }
    }
    for cluster in &roomier {
        let waiting = world.find(&SERVICES, &LACKS_ROOM, cluster);
        keys.extend(waiting.map(|service| service.key.clone()));
    }
    keys
}

fn service_of(task: &TaskRecord) -> Option<ServiceKey> {
    task.service?;
    let name = task.group.strip_prefix(GROUP_PREFIX)?;
    Some(ServiceKey::new(&task.key.scope, &task.key.cluster, name))
}
