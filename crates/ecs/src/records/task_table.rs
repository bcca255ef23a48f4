//! The table of tasks: how tasks are found, and what is counted of them.
//!
//! Two of the indexes carry more than what is asked by, so that their order is of use: those of
//! listings keep RUNNING and STOPPED apart, and the undelivered come in the order of delivery. The
//! tallies answer every count of a cluster or an instance without visiting its tasks.

use super::container_instance::InstanceKey;
use super::task::{TaskKey, TaskRecord};
use crate::place::feed::OF_TASKS;
use crate::task::status::{DesiredStatus, TaskStatus};
use aws_types::Scope;
use store::{Index, Key, Table, Tally};

/// By instance; those that still hold its resources lie under one more component, `held`.
pub static BY_INSTANCE: Index<TaskRecord> = Index {
    name: "by_instance",
    keys: |task| {
        let part = if task.holds { HELD } else { FREED };
        vec![measure(&task.instance_key(), part)]
    },
};

/// By instance, only tasks that hold static ports or GPUs of it.
pub static HOLDS_PORTS: Index<TaskRecord> = Index {
    name: "holds_ports",
    keys: |task| {
        let held = task.holds && task.reserved.names_something();
        let held = held.then(|| held_by(&task.instance_key()));
        held.into_iter().collect()
    },
};

/// By the ARN of their instance, tasks that hold its resources and reach endpoints of Service Connect.
pub static CONNECTED: Index<TaskRecord> = Index {
    name: "connected",
    keys: |task| match task.holds && task.connect.is_some() {
        true => vec![Key::of(&[&task.instance_key().arn()])],
        false => Vec::new(),
    },
};

/// By cluster and desired status.
pub static BY_DESIRED: Index<TaskRecord> = Index {
    name: "by_desired",
    keys: |task| {
        let TaskKey { scope, cluster, .. } = &task.key;
        vec![named_parts(scope, cluster, task.desired.name())]
    },
};

/// By cluster, family and desired status.
pub static BY_FAMILY: Index<TaskRecord> = Index {
    name: "by_family",
    keys: |task| vec![listed_parts(&task.key, &task.family, task.desired)],
};

/// By cluster, `startedBy` and desired status.
pub static BY_STARTED_BY: Index<TaskRecord> = Index {
    name: "by_started_by",
    keys: |task| {
        let started_by = task.started_by.iter();
        started_by
            .map(|by| listed_parts(&task.key, by, task.desired))
            .collect()
    },
};

/// By instance, only tasks of which the host has something to be told: stops first, as agents apply
/// them first, then the oldest.
pub static UNDELIVERED: Index<TaskRecord> = Index {
    name: "undelivered",
    keys: |task| match task.is_undelivered() {
        true => vec![delivery_parts(task)],
        false => Vec::new(),
    },
};

/// Tasks of launch type FARGATE by their id alone: their host knows them by it, whatever their cluster.
pub static FARGATE_BY_ID: Index<TaskRecord> = Index {
    name: "fargate_by_id",
    keys: |task| {
        let TaskKey { scope, id, .. } = &task.key;
        let of = task.fargate.iter();
        of.map(|_| fargate_parts(scope, &id.0)).collect()
    },
};

/// By definition, so that a definition is not deleted under a task.
pub static BY_DEFINITION: Index<TaskRecord> = Index {
    name: "by_definition",
    keys: |task| {
        vec![definition_parts(
            &task.key.scope,
            &task.family,
            task.revision,
        )]
    },
};

/// By the moment it stopped, for removal once nobody may ask any more.
pub static BY_STOPPED_AT: Index<TaskRecord> = Index {
    name: "by_stopped_at",
    keys: |task| {
        let at = task.times.stopped.filter(|_| !task.holds);
        at.map(|at| Key::build().number(millis(at)).finish())
            .into_iter()
            .collect()
    },
};

/// By service, under one more component: `live` those that are not STOPPED, `ended` those that are
/// and from whose end the service has not yet drawn its conclusions, and each by desired status.
pub static BY_SERVICE: Index<TaskRecord> = Index {
    name: "by_service",
    keys: |task| {
        let Some(membership) = task.service else {
            return Vec::new();
        };
        let mut keys = vec![listed_parts(&task.key, &task.group, task.desired)];
        if task.last_status != TaskStatus::Stopped {
            keys.push(service_parts(&task.key, &task.group, LIVE));
        } else if !membership.is_settled {
            keys.push(service_parts(&task.key, &task.group, ENDED));
        }
        keys
    },
};

/// Of a service, and of each of its deployments or task sets: its RUNNING and its pending tasks.
pub static OF_SERVICE: Tally<TaskRecord> = Tally {
    name: "of_service",
    of: |task| {
        let Some(membership) = task.service else {
            return Vec::new();
        };
        let mut of = Vec::new();
        for count in [Count::Running, Count::Pending, Count::Unfinished] {
            if count.has(task) {
                of.push((service_parts(&task.key, &task.group, count.name()), 1));
                let deployment = membership.deployment;
                of.push((deployment_parts(&task.key, deployment, count.name()), 1));
            }
        }
        of
    },
};

/// Of a cluster: its tasks in each [`Count`], and those of launch type FARGATE ([`Count::on_fargate`]).
pub static OF_CLUSTER: Tally<TaskRecord> = Tally {
    name: "of_cluster",
    of: |task| {
        let TaskKey { scope, cluster, .. } = &task.key;
        let counts = [Count::Running, Count::Pending, Count::Unfinished];
        let of = counts.into_iter().filter(|count| count.has(task));
        let mut of: Vec<_> = of
            .map(|count| (named_parts(scope, cluster, count.name()), 1))
            .collect();
        if task.fargate.is_some() {
            let counts = [Count::Running, Count::Pending].into_iter();
            let named = counts
                .filter(|count| count.has(task))
                .map(Count::on_fargate);
            of.extend(named.map(|name| (named_parts(scope, cluster, name), 1)));
        }
        of
    },
};

/// Of an instance: what the tasks that hold its resources take, and how many they are.
pub static OF_INSTANCE: Tally<TaskRecord> = Tally {
    name: "of_instance",
    of: |task| {
        let instance = task.instance_key();
        if !task.holds {
            return Vec::new();
        }
        let mut of = vec![
            (measure(&instance, "cpu"), task.reserved.cpu_units.into()),
            (
                measure(&instance, "memory"),
                task.reserved.memory_mib.into(),
            ),
        ];
        if task.desired == DesiredStatus::Running {
            of.push((group_parts(&instance, &task.group), 1));
        }
        if task.attachment.is_some() {
            of.push((measure(&instance, INTERFACES), 1));
        }
        let counts = Count::ALL.into_iter().filter(|count| count.has(task));
        of.extend(counts.map(|count| (measure(&instance, count.name()), 1)));
        of
    },
};

/// All tasks.
pub static TASKS: Table<TaskKey, TaskRecord> = Table::new(
    "ecs.tasks",
    |task| task.key.clone(),
    &[
        &BY_INSTANCE,
        &HOLDS_PORTS,
        &BY_DESIRED,
        &BY_FAMILY,
        &BY_STARTED_BY,
        &UNDELIVERED,
        &BY_DEFINITION,
        &BY_STOPPED_AT,
        &BY_SERVICE,
        &FARGATE_BY_ID,
        &CONNECTED,
    ],
)
.with_tallies(&[&OF_CLUSTER, &OF_INSTANCE, &OF_SERVICE])
.with_feeds(&[&OF_TASKS]);

/// What a task can count as; several at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// RUNNING, and not asked to stop.
    Running,
    /// On its way to RUNNING.
    Pending,
    /// Not STOPPED.
    Unfinished,
    /// Holds resources.
    Held,
    /// STOPPED without its host's word.
    Unconfirmed,
}

impl Count {
    const ALL: [Self; 5] = [
        Self::Running,
        Self::Pending,
        Self::Unfinished,
        Self::Held,
        Self::Unconfirmed,
    ];

    /// Whether this task counts.
    #[must_use]
    pub fn has(self, task: &TaskRecord) -> bool {
        match self {
            Self::Running => {
                let runs = task.last_status == TaskStatus::Running;
                runs && task.desired == DesiredStatus::Running
            }
            Self::Pending => task.last_status.counts_as_pending(),
            Self::Unfinished => task.last_status != TaskStatus::Stopped,
            Self::Held => task.holds,
            Self::Unconfirmed => task.is_unconfirmed(),
        }
    }

    /// Its part of a tally's key.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Pending => "pending",
            Self::Unfinished => "unfinished",
            Self::Held => "held",
            Self::Unconfirmed => "unconfirmed",
        }
    }
}

impl Count {
    /// The part of the key of those that are of launch type FARGATE.
    #[must_use]
    pub fn on_fargate(self) -> &'static str {
        match self {
            Self::Running => "fargate-running",
            Self::Pending => "fargate-pending",
            other => other.name(),
        }
    }
}

/// The figure of an instance in [`OF_INSTANCE`] that counts interfaces of tasks.
pub const INTERFACES: &str = "interfaces";
const HELD: &str = "held";
const FREED: &str = "freed";
/// The component of a service's tasks that are not STOPPED.
pub const LIVE: &str = "live";
/// The component of a service's tasks from whose end no conclusion was drawn yet.
pub const ENDED: &str = "ended";

/// The key of a service's tasks, by its cluster (of any task of it), its group, and `live`, `ended`
/// or the name of a [`Count`].
#[must_use]
pub fn service_parts(of_cluster: &TaskKey, group: &str, part: &str) -> Key {
    let TaskKey { scope, cluster, .. } = of_cluster;
    Key::of(&[&scope.account, &scope.region, cluster, group, part])
}

/// The key of a deployment's or task set's tasks in [`OF_SERVICE`].
#[must_use]
pub fn deployment_parts(of_cluster: &TaskKey, deployment: u64, part: &str) -> Key {
    let TaskKey { scope, cluster, .. } = of_cluster;
    Key::build()
        .text(&scope.account)
        .text(&scope.region)
        .text(cluster)
        .number(deployment)
        .text(part)
        .finish()
}

/// The index key of an instance's tasks that still hold its resources.
#[must_use]
pub fn held_by(instance: &InstanceKey) -> Key {
    measure(instance, HELD)
}

/// The index key of an instance's tasks that hold nothing of it any more.
#[must_use]
pub fn freed_of(instance: &InstanceKey) -> Key {
    measure(instance, FREED)
}

/// The key of one figure of an instance in [`OF_INSTANCE`]: `cpu` (units), `memory` (MiB), [`INTERFACES`] or the
/// name of a [`Count`].
#[must_use]
pub fn measure(instance: &InstanceKey, name: &str) -> Key {
    let scope = &instance.scope;
    let place = [
        &scope.account,
        &scope.region,
        &instance.cluster,
        &instance.id.0,
    ];
    let parts = place.map(String::as_str);
    Key::of(&[parts[0], parts[1], parts[2], parts[3], name])
}

/// The key in [`OF_INSTANCE`] of a group's active tasks on an instance: those not asked to stop.
#[must_use]
pub fn group_parts(instance: &InstanceKey, group: &str) -> Key {
    let scope = &instance.scope;
    let place = [
        &scope.account,
        &scope.region,
        &instance.cluster,
        &instance.id.0,
    ];
    let parts = place.map(String::as_str);
    Key::of(&[parts[0], parts[1], parts[2], parts[3], "group", group])
}

/// The key of a cluster's tasks of a desired status, or of a [`Count`].
#[must_use]
pub fn named_parts(scope: &Scope, cluster: &str, name: &str) -> Key {
    Key::of(&[&scope.account, &scope.region, cluster, name])
}

/// The key in [`FARGATE_BY_ID`].
#[must_use]
pub fn fargate_parts(scope: &Scope, id: &str) -> Key {
    Key::of(&[&scope.account, &scope.region, id])
}

/// The index key of a cluster's tasks of a family or `startedBy`, and of a desired status.
#[must_use]
pub fn listed_parts(of_cluster: &TaskKey, name: &str, desired: DesiredStatus) -> Key {
    let TaskKey { scope, cluster, .. } = of_cluster;
    Key::of(&[&scope.account, &scope.region, cluster, name, desired.name()])
}

/// The index key of the tasks of one revision of a definition, in every cluster.
#[must_use]
pub fn definition_parts(scope: &Scope, family: &str, revision: u32) -> Key {
    Key::build()
        .text(&scope.account)
        .text(&scope.region)
        .text(family)
        .number(revision.into())
        .finish()
}

fn delivery_parts(task: &TaskRecord) -> Key {
    let instance = task.instance_key();
    let turn = match task.desired {
        DesiredStatus::Stopped => 0,
        DesiredStatus::Running => 1,
    };
    Key::build()
        .text(&instance.scope.account)
        .text(&instance.scope.region)
        .text(&instance.cluster)
        .text(&instance.id.0)
        .number(turn)
        .number(millis(task.times.created))
        .finish()
}

fn millis(at: aws_types::Timestamp) -> u64 {
    u64::try_from(at.millis()).unwrap_or(0)
}
