//! What the state holds of a service, as its plan sees it.

use super::alarms;
use super::facts::{Ended, Facts, Health, Member, Seat, Verdict};
use super::launch::{self, ZONE};
use super::waits::Waits;
use crate::fargate;
use crate::place::constraint::Constraint;
use crate::place::facts as place_facts;
use crate::place::feed::PLACEMENT;
use crate::place::index::Cluster;
use crate::place::problem::Standing;
use crate::place::strategy::Criterion;
use crate::place::tree::Amounts;
use crate::records::container_instance::{
    CONTAINER_INSTANCES, ContainerInstanceRecord, InstanceId, InstanceStatus,
};
use crate::records::service::{Scheduling, ServiceKey, ServiceRecord, ServiceStatus};
use crate::records::service_deployment::{
    SERVICE_DEPLOYMENTS, ServiceDeploymentKey, ServiceDeploymentRecord,
};
use crate::records::service_revision::{RevisionKey, SERVICE_REVISIONS};
use crate::records::task::{Membership, TASKS, TaskKey, TaskRecord};
use crate::records::task_table::{BY_SERVICE, ENDED, LIVE, service_parts};
use crate::records::traffic::Traffic;
use crate::records::uneven::Zone;
use crate::records::{ClusterKey, TASK_DEFINITIONS, TaskDefinitionKey};
use crate::task::health::HealthStatus;
use crate::task::launch::Launch;
use crate::task::protection;
use crate::task::status::{DesiredStatus, TaskStatus};
use crate::task::stop_reason::{StopCode, StopReason};
use aws_types::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use store::{TableKey, World};

/// What the state holds of this service at `now`, with at most `ended_max` of its tasks that ended.
#[must_use]
pub fn observe<'w>(
    world: &'w World,
    service: &'w ServiceRecord,
    now: Timestamp,
    waits: Waits,
    ended_max: usize,
) -> Facts<'w> {
    let group = service.key.group();
    let of_cluster = TaskKey::new(&service.key.scope, &service.key.cluster, "");
    let index = cluster(world, &service.key);
    let mut eye = Eye {
        world,
        service,
        now,
        waits,
        index,
        packs: packs(service),
        checks: BTreeMap::new(),
    };
    let live = service_parts(&of_cluster, &group, LIVE);
    let live = world.find(&TASKS, &BY_SERVICE, &live);
    let members = live.filter_map(|task| eye.member(task)).collect();
    let ended = service_parts(&of_cluster, &group, ENDED);
    let ended = world.find(&TASKS, &BY_SERVICE, &ended);
    let ended = ended.filter_map(|task| end(task)).take(ended_max).collect();
    let under_way = under_way(world, service);
    Facts {
        service,
        now,
        waits,
        members,
        ended,
        seats: seats(world, service, index),
        zones: zones(world, service, index),
        requested: under_way.map(|record| record.status),
        alarms: under_way.and_then(|record| alarms::watch(world, record)),
        configuration: under_way.map_or(&service.configuration, |record| &record.configuration),
    }
}

fn cluster<'w>(world: &'w World, service: &ServiceKey) -> Option<&'w Cluster> {
    let key = ClusterKey::new(&service.scope, &service.cluster).encode();
    world.view(&PLACEMENT).cluster(&key)
}

struct Eye<'w> {
    world: &'w World,
    service: &'w ServiceRecord,
    now: Timestamp,
    waits: Waits,
    index: Option<&'w Cluster>,
    packs: Option<Criterion>,
    /// By definition: the essential containers with a health check.
    checks: BTreeMap<(String, u32), Vec<String>>,
}

impl Eye<'_> {
    fn member(&mut self, task: &TaskRecord) -> Option<Member> {
        let Membership { deployment, .. } = task.service?;
        let health = self.health(task);
        let instance = self.world.get(&CONTAINER_INSTANCES, &task.instance_key());
        let of_instance = instance.and_then(|instance| zone(instance));
        let run = task.fargate.as_ref();
        let zone = run.map(|run| run.zone.as_str()).or(of_instance);
        let draining = |instance: &ContainerInstanceRecord| match instance.status {
            InstanceStatus::Draining => true,
            InstanceStatus::Active | InstanceStatus::Inactive => false,
        };
        let is_draining = instance.is_some_and(|instance| draining(instance));
        Some(Member {
            task: task.key.id.clone(),
            of: deployment,
            instance: task.instance.clone(),
            zone: zone.map(Into::into),
            status: task.last_status,
            created: task.times.created,
            started: task.times.started,
            health,
            is_stopping: task.desired == DesiredStatus::Stopped,
            protected_until: protection::until(task, self.now),
            is_draining,
            has_neighbours: is_draining && self.has_neighbours(task),
            room: self.room(task),
        })
    }

    fn health(&mut self, task: &TaskRecord) -> Health {
        let Some(started) = task.times.started.filter(|_| is_running(task)) else {
            return Health::Waiting(None);
        };
        let of_containers = self.health_of_containers(task, started);
        match task.traffic {
            None | Some(Traffic::Leaving | Traffic::Left) => of_containers,
            Some(_) if of_containers == Health::Unhealthy => Health::Unhealthy,
            // Containers that fail their checks count as unwell at the end of the grace period.
            Some(Traffic::Joining | Traffic::Initial) => match of_containers {
                Health::Waiting(until) => Health::Waiting(until),
                Health::Healthy | Health::Unhealthy => Health::Waiting(None),
            },
            Some(Traffic::Unhealthy) => self.unhealthy(started),
            // A target that is well need not be old.
            Some(Traffic::Healthy) if self.checked(task).is_empty() => Health::Healthy,
            Some(Traffic::Healthy) => of_containers,
        }
    }

    fn health_of_containers(&mut self, task: &TaskRecord, started: Timestamp) -> Health {
        let checked = self.checked(task);
        if checked.is_empty() {
            return after(
                started.plus(self.waits.healthy_after),
                self.now,
                Health::Healthy,
            );
        }
        let of = |name: &String| task.containers.iter().find(|c| c.name == *name);
        let health = || checked.iter().filter_map(of).map(|c| c.health);
        if health().any(|health| health == HealthStatus::Unhealthy) {
            self.unhealthy(started)
        } else if health().all(|health| health == HealthStatus::Healthy) {
            Health::Healthy
        } else {
            Health::Waiting(None)
        }
    }

    /// Checks failed: that counts after the grace period.
    fn unhealthy(&self, started: Timestamp) -> Health {
        let grace = Duration::from_secs(self.service.grace_seconds.unwrap_or(0).into());
        // Without a grace period the clock has no say: it may have been set back.
        match grace.is_zero() {
            true => Health::Unhealthy,
            false => after(started.plus(grace), self.now, Health::Unhealthy),
        }
    }

    /// The essential containers of its definition that have a health check.
    fn checked(&mut self, task: &TaskRecord) -> Vec<String> {
        let (world, scope) = (self.world, &task.key.scope);
        let name = (task.family.clone(), task.revision);
        let checked = self.checks.entry(name).or_insert_with(|| {
            let key = TaskDefinitionKey::new(scope, &task.family, task.revision);
            checked(world, &key)
        });
        checked.clone()
    }

    fn has_neighbours(&self, task: &TaskRecord) -> bool {
        self.index.is_some_and(|index| {
            let mut groups = index.groups_on(&task.instance.0);
            groups.any(|group| group != task.group)
        })
    }

    fn room(&self, task: &TaskRecord) -> u32 {
        let Some(criterion) = &self.packs else {
            return 0;
        };
        let found = self
            .index
            .and_then(|index| index.candidate(&task.instance.0, &task.group));
        found.map_or(0, |candidate| match criterion {
            Criterion::BinpackCpu => candidate.free.cpu_units,
            _ => candidate.free.memory_mib,
        })
    }
}

/// `then` from this moment on, waiting for it until then.
fn after(moment: Timestamp, now: Timestamp, then: Health) -> Health {
    match moment <= now {
        true => then,
        false => Health::Waiting(Some(moment)),
    }
}

fn is_running(task: &TaskRecord) -> bool {
    task.last_status == TaskStatus::Running
}

/// The essential containers of a definition that have a health check.
fn checked(world: &World, key: &TaskDefinitionKey) -> Vec<String> {
    let record = world.get(&TASK_DEFINITIONS, key);
    let definitions = record.and_then(|record| record.definition.container_definitions.as_ref());
    let checked = definitions.into_iter().flatten().filter(|container| {
        container.essential.unwrap_or(true) && container.health_check.is_some()
    });
    checked
        .filter_map(|container| container.name.clone())
        .collect()
}

/// The binpack strategy that comes first, if one does.
fn packs(service: &ServiceRecord) -> Option<Criterion> {
    let first = service.strategy.first()?;
    if first.r#type.as_deref() != Some("binpack") {
        return None;
    }
    let is_cpu = first
        .field
        .as_deref()
        .is_some_and(|field| field.eq_ignore_ascii_case("cpu"));
    Some(match is_cpu {
        true => Criterion::BinpackCpu,
        false => Criterion::BinpackMemory,
    })
}

fn zone(instance: &ContainerInstanceRecord) -> Option<&str> {
    instance.attribute(ZONE).flatten()
}

fn end(task: &TaskRecord) -> Option<Ended> {
    let membership = task.service?;
    Some(Ended {
        task: task.key.id.clone(),
        of: membership.deployment,
        started: task.times.started,
        stopped: task.times.stopped?,
        verdict: verdict(task),
    })
}

fn verdict(task: &TaskRecord) -> Verdict {
    let Some(why) = &task.stop else {
        return Verdict::None;
    };
    match why.code {
        StopCode::TaskFailedToStart => Verdict::NeverRan,
        StopCode::EssentialContainerExited if task.times.started.is_some() => Verdict::Exited,
        StopCode::EssentialContainerExited => Verdict::NeverRan,
        StopCode::ServiceSchedulerInitiated if *why == StopReason::failed_health_checks() => {
            Verdict::Unhealthy
        }
        StopCode::UserInitiated
        | StopCode::ServiceSchedulerInitiated
        | StopCode::TerminationNotice => Verdict::None,
    }
}

/// The instances that a DAEMON is to be on: ACTIVE, with the attributes that its
/// definition requires and what its constraints ask for. Whether they have room is found out when a
/// task is placed.
fn seats(world: &World, service: &ServiceRecord, index: Option<&Cluster>) -> Vec<Seat> {
    let is_daemon = service.scheduling == Scheduling::Daemon;
    let Some(index) = index.filter(|_| is_daemon && service.status == ServiceStatus::Active) else {
        return Vec::new();
    };
    let Some(launch) = primary_launch(world, service) else {
        return Vec::new();
    };
    let sits = |id| {
        let is_ready = sits(world, service, index, &launch, id)?;
        let instance = InstanceId(String::from(id));
        Some(Seat { instance, is_ready })
    };
    index.ids().filter_map(sits).collect()
}

fn primary_launch(world: &World, service: &ServiceRecord) -> Option<Launch> {
    let primary = service.primary()?;
    let key = RevisionKey {
        service: service.key.clone(),
        number: primary.revision,
    };
    let revision = world.get(&SERVICE_REVISIONS, &key)?;
    launch::of(world, service, primary.number, &revision.workload)
}

/// Whether a task may be on this instance, and then whether the instance takes one.
fn sits(
    world: &World,
    service: &ServiceRecord,
    index: &Cluster,
    launch: &Launch,
    id: &str,
) -> Option<bool> {
    let candidate = index.candidate(id, &launch.group)?;
    let is_ready = match candidate.standing {
        Standing::Ready => true,
        Standing::AgentAway => false,
        Standing::Draining | Standing::Inactive => return None,
    };
    let ServiceKey { scope, cluster, .. } = &service.key;
    let mut constraints = launch.constraints.iter();
    let matches = launch.requirement.lacks(&candidate.attributes).is_none()
        && constraints.all(|constraint| match constraint {
            Constraint::DistinctInstance => true,
            Constraint::MemberOf(asked) => {
                place_facts::holds_by_id(world, scope, cluster, id, asked)
            }
        });
    matches.then_some(is_ready)
}

fn zones(world: &World, service: &ServiceRecord, index: Option<&Cluster>) -> Vec<Zone> {
    if service.rebalances_zones && fargate::is(&service.launch_type) {
        let launch = primary_launch(world, service);
        let network = launch.and_then(|launch| launch.network);
        let names = network.map_or_else(BTreeSet::new, |network| network.zones());
        let lent = |name| Zone {
            name,
            instances: 0,
            free: Amounts::default(),
        };
        return names.into_iter().map(lent).collect();
    }
    let Some(index) = index.filter(|_| service.rebalances_zones) else {
        return Vec::new();
    };
    let of_instances = |name: String| Zone {
        instances: index.ready_len(ZONE, &name),
        free: index.greatest_free(ZONE, &name),
        name,
    };
    let names = index.ready_values(ZONE).into_iter();
    names.map(of_instances).collect()
}

fn under_way<'w>(world: &'w World, service: &ServiceRecord) -> Option<&'w ServiceDeploymentRecord> {
    let id = service.primary()?.part_of.clone()?;
    let key = ServiceDeploymentKey {
        service: service.key.clone(),
        id,
    };
    world.get(&SERVICE_DEPLOYMENTS, &key).map(AsRef::as_ref)
}
