//! What happens to a container instance after its registration: its agent's session opens and
//! closes, its host is lost, it is deregistered.
//!
//! An operation or session marks the instance in one transaction; what follows for its tasks is
//! done in steps of a few tasks each, so that no transaction grows with the number of tasks.
//! Rule: design, "A lost host"; API reference, DeregisterContainerInstance.

use crate::decisions::{Standing, StandingChanged};
use crate::instance::load;
use crate::records::container_instance::{
    CONTAINER_INSTANCES, Connection, ContainerInstanceRecord, InstanceKey, InstanceStatus,
};
use crate::records::instance_load::INSTANCE_LOADS;
use crate::records::task::{TASKS, TaskKey, TaskRecord};
use crate::task::report::count_as_stopped;
use crate::task::status::TaskStatus;
use crate::task::stop_reason::StopReason;
use aws_types::{Ctx, Timestamp};
use std::ops::Range;
use std::time::Duration;
use store::{Txn, World};

/// Tasks per transaction: within what one commit of any store takes.
pub const TASKS_PER_STEP_MAX: usize = 32;

/// Whether a step left something for the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Step {
    /// Everything is done.
    Done,
    /// Call again, in a transaction of its own.
    More,
}

/// What an agent says of itself when its session opens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionVersions {
    /// `agentVersion` of the query.
    pub agent_version: Option<String>,
    /// `agentHash` of the query.
    pub agent_hash: Option<String>,
    /// `dockerVersion` of the query.
    pub docker_version: Option<String>,
}

/// The agent's session opened. Whether it may stay open: not for an unknown or INACTIVE instance.
pub fn connected(txn: &mut Txn, key: &InstanceKey, versions: &SessionVersions) -> bool {
    let open = usable(txn, key);
    if open {
        change(txn, key, |instance| {
            instance.connection = Connection::Connected;
            let known = &mut instance.versions;
            learn(&mut known.agent_version, &versions.agent_version);
            learn(&mut known.agent_hash, &versions.agent_hash);
            learn(&mut known.docker_version, &versions.docker_version);
        });
    }
    open
}

/// The agent's session closed.
pub fn disconnected(txn: &mut Txn, ctx: &Ctx, key: &InstanceKey) {
    change(txn, key, |instance| {
        if instance.connection == Connection::Connected {
            instance.connection = Connection::Away(ctx.now);
        }
    });
}

/// The server starts: nobody is connected, and whoever was away gets its whole time again, since the
/// time that the server was away counts against no host.
pub fn server_started(txn: &mut Txn, ctx: &Ctx, key: &InstanceKey) {
    change(txn, key, |instance| match instance.connection {
        Connection::Connected | Connection::Away(_) => {
            instance.connection = Connection::Away(ctx.now);
        }
        Connection::Lost(_) => {}
    });
}

/// The agent did not come back in time: the next `limit` of its tasks count as STOPPED, with AWS's
/// reason. They hold their resources until the host confirms or is deregistered by force.
///
/// Does nothing to an instance whose agent is connected.
pub fn lost(txn: &mut Txn, ctx: &mut Ctx, key: &InstanceKey, limit: usize) -> Step {
    let Some(instance) = txn.get(&CONTAINER_INSTANCES, key).cloned() else {
        return Step::Done;
    };
    if instance.is_connected() {
        return Step::Done;
    }
    if let Connection::Away(since) = instance.connection {
        change(txn, key, |instance| {
            instance.connection = Connection::Lost(since);
        });
        ctx.decided(StandingChanged {
            instance: key.id.clone(),
            standing: Standing::Lost(since),
        });
    }
    let living = |task: &TaskRecord| task.last_status != TaskStatus::Stopped;
    let why = StopReason::host_lost(&instance.ec2_instance_id);
    each_held(txn, &instance, limit, living, |task| {
        count_as_stopped(task, why.clone(), ctx.now);
    })
}

/// Marks an instance INACTIVE; [`orphan`] does the rest.
pub fn deregister(txn: &mut Txn, ctx: &Ctx, key: &InstanceKey) {
    change(txn, key, |instance| {
        if instance.status != InstanceStatus::Inactive {
            instance.status = InstanceStatus::Inactive;
            instance.deregistered_at = Some(ctx.now);
            if instance.connection == Connection::Connected {
                instance.connection = Connection::Away(ctx.now);
            }
        }
    });
}

/// Stops the next `limit` tasks of an INACTIVE instance and frees what they held: nobody will hear
/// of them again. Does nothing to an instance in use.
pub fn orphan(txn: &mut Txn, ctx: &Ctx, key: &InstanceKey, limit: usize) -> Step {
    let Some(instance) = txn.get(&CONTAINER_INSTANCES, key).cloned() else {
        return Step::Done;
    };
    if instance.status != InstanceStatus::Inactive {
        return Step::Done;
    }
    each_held(
        txn,
        &instance,
        limit,
        |_| true,
        |task| {
            if task.last_status != TaskStatus::Stopped {
                count_as_stopped(task, StopReason::deregistration_forced(), ctx.now);
            }
            task.holds = false;
        },
    )
}

/// Numbers that one reservation gives, so that a message need not wait for a commit.
const TIMELINE_BLOCK: i64 = 1_000;

/// The next numbers for manifests and payloads of this instance: they grow, the first is never below
/// the milliseconds since 1970, and none is given twice. `None` for an unknown instance.
pub fn reserve_timeline(txn: &mut Txn, ctx: &Ctx, key: &InstanceKey) -> Option<Range<i64>> {
    let known = txn.get(&CONTAINER_INSTANCES, key)?;
    let first = known.timeline.saturating_add(1).max(ctx.now.millis());
    let end = first.saturating_add(TIMELINE_BLOCK);
    txn.update(&CONTAINER_INSTANCES, key, |instance| {
        instance.timeline = end - 1;
    });
    Some(first..end)
}

/// Instances that are INACTIVE for longer than `keep` and hold no task.
#[must_use]
pub fn expired(world: &World, now: Timestamp, keep: Duration) -> Vec<InstanceKey> {
    let over = |instance: &ContainerInstanceRecord| {
        let since = instance
            .deregistered_at
            .is_some_and(|at| now.since(at) > keep);
        since && load::held(world, &instance.key).next().is_none()
    };
    let gone = world
        .scan(&CONTAINER_INSTANCES)
        .filter(|instance| over(instance));
    gone.map(|instance| instance.key.clone())
        .take(TASKS_PER_STEP_MAX)
        .collect()
}

/// Removes instances that [`expired`] named.
pub fn remove(txn: &mut Txn, keys: &[InstanceKey]) {
    for key in keys {
        txn.delete(&CONTAINER_INSTANCES, key);
        txn.delete(&INSTANCE_LOADS, key);
    }
}

/// Whether an agent may act for this instance.
fn usable(world: &World, key: &InstanceKey) -> bool {
    world
        .get(&CONTAINER_INSTANCES, key)
        .is_some_and(|instance| match instance.status {
            InstanceStatus::Active | InstanceStatus::Draining => true,
            InstanceStatus::Inactive => false,
        })
}

/// Changes an instance and counts its version up, unless nothing changed.
pub(crate) fn change(
    txn: &mut Txn,
    key: &InstanceKey,
    with: impl FnOnce(&mut ContainerInstanceRecord),
) {
    let Some(before) = txn.get(&CONTAINER_INSTANCES, key).cloned() else {
        return;
    };
    let mut after = ContainerInstanceRecord::clone(&before);
    with(&mut after);
    if after != *before {
        after.version += 1;
        txn.put(&CONTAINER_INSTANCES, after);
    }
}

fn each_held(
    txn: &mut Txn,
    instance: &ContainerInstanceRecord,
    limit: usize,
    which: impl Fn(&TaskRecord) -> bool,
    with: impl Fn(&mut TaskRecord),
) -> Step {
    let matching = load::held(txn, &instance.key).filter(|task| which(task));
    let mut keys: Vec<TaskKey> = matching
        .take(limit + 1)
        .map(|task| task.key.clone())
        .collect();
    let step = if keys.len() > limit {
        Step::More
    } else {
        Step::Done
    };
    keys.truncate(limit);
    for key in keys {
        txn.update(&TASKS, &key, &with);
    }
    step
}

fn learn(known: &mut Option<String>, said: &Option<String>) {
    if said.is_some() {
        known.clone_from(said);
    }
}
