//! What a service waits for now, to somebody who asks why.
//!
//! Pure, from the same facts and the same plan as the scheduler's: it is told what the next step would
//! do, and for each thing that it does not do what stands in the way.

use super::circuit_breaker;
use super::explain_zones::{self, Uneven};
use super::facts::{Facts, Health, Member};
use super::judge::held_until;
use super::limits::Limits;
use super::plan::Plan;
use crate::place::solve::Refused;
use crate::records::service::{
    Deployment, Rollout, Scheduling, ServiceRecord, ServiceStatus, Throttle,
};
use crate::records::task::TaskId;
use crate::records::task_set::TaskSetStatus;
use crate::task::status::TaskStatus;
use aws_types::Timestamp;
use serde_json::{Value, json};

/// One thing that a service waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Nothing: the scheduler has something to do at once.
    Due,
    /// Tasks of this deployment failed so many times in a row: none is started before.
    Held {
        /// Its number.
        of: u64,
        /// Times in a row.
        rounds: u32,
        /// Until when.
        until: Timestamp,
    },
    /// The deployment failed and starts no task any more; why.
    Failed(String),
    /// So many tasks are missing, and no container instance takes one.
    NoPlace {
        /// How many.
        missing: u32,
        /// What the instances say.
        refused: Refused,
    },
    /// So many tasks are missing, and no more may be there at once.
    Maximum {
        /// How many.
        missing: u32,
        /// The most there may be.
        maximum: u32,
        /// How many are there.
        present: u32,
    },
    /// So many tasks are to be replaced, and no more of them may be stopped yet.
    Minimum {
        /// How many.
        outdated: u32,
        /// The fewest that are to count.
        minimum: u32,
        /// How many count.
        serving: u32,
    },
    /// Neither may a task be started nor one be stopped, and nothing under way changes that.
    Blocked,
    /// Tasks are starting.
    Starting(Vec<TaskId>),
    /// Tasks are RUNNING and do not count yet: from a moment on, or once their health checks pass.
    Unproven {
        /// The tasks.
        tasks: Vec<TaskId>,
        /// When the first of them counts by nothing but time.
        from: Option<Timestamp>,
    },
    /// Tasks were asked to stop and are not stopped yet.
    Stopping(Vec<TaskId>),
    /// Tasks are protected from being stopped until then.
    Protected {
        /// The tasks.
        tasks: Vec<TaskId>,
        /// When the first of them is no more.
        until: Timestamp,
    },
    /// Container instances that it is to be on take no task: their agents are away.
    Away(Vec<String>),
    /// Its tasks are unevenly spread over Availability Zones, and none is moved now.
    Uneven(Uneven),
}

/// Who is to have tasks: the PRIMARY deployment, or a task set.
struct Wanting<'f> {
    number: u64,
    throttle: Throttle,
    desired: u32,
    live: Vec<&'f Member>,
    /// Of these the ones that stay.
    current: Vec<&'f Member>,
}

/// Everything that the service waits for, what stands in the way of its tasks first. `no_place` asks
/// the cluster: why a task of this deployment or task set finds no place, in this zone where one is named;
/// `None` where it finds one.
#[must_use]
pub fn waits(
    facts: &Facts<'_>,
    plan: &Plan,
    no_place: &dyn Fn(u64, Option<&str>) -> Option<Refused>,
) -> Vec<Wait> {
    let mut waits = Vec::new();
    let service = facts.service;
    let primary = service.primary().filter(|_| has_deployments(service));
    let failed = primary.filter(|primary| primary.rollout == Rollout::Failed);
    waits.extend(failed.map(|failed| Wait::Failed(failed.reason.clone())));
    let mut lacks_place = false;
    for wanting in wanting(facts) {
        let missing = wanting.desired.saturating_sub(len(wanting.current.len()));
        if missing == 0 || failed.is_some() {
            continue;
        }
        if let Some(until) = held_until(wanting.throttle, facts.now) {
            let (of, rounds) = (wanting.number, wanting.throttle.rounds);
            waits.push(Wait::Held { of, rounds, until });
            continue;
        }
        let room = room(facts, &wanting);
        if let Some((maximum, present)) = room.filter(|(most, present)| present >= most) {
            waits.push(Wait::Maximum {
                missing,
                maximum,
                present,
            });
        } else if let Some(refused) = no_place(wanting.number, None) {
            lacks_place = true;
            waits.push(Wait::NoPlace { missing, refused });
        }
    }
    waits.extend(minimum(facts, primary.filter(|_| failed.is_none())));
    if service.told.contains_key("blocked") {
        waits.push(Wait::Blocked);
    }
    waits.extend(under_way(facts));
    waits.extend(explain_zones::uneven(facts, plan, no_place).map(Wait::Uneven));
    // A task that finds no place is tried again and again; that is no progress.
    let starts = !plan.start.is_empty() && !lacks_place;
    if starts || !plan.stop.is_empty() || !plan.settle.is_empty() || plan.rollback.is_some() {
        waits.insert(0, Wait::Due);
    }
    waits
}

fn has_deployments(service: &ServiceRecord) -> bool {
    service.status == ServiceStatus::Active && !service.controller.has_task_sets()
}

fn wanting<'f>(facts: &'f Facts<'_>) -> Vec<Wanting<'f>> {
    let service = facts.service;
    if service.status != ServiceStatus::Active {
        return Vec::new();
    }
    let live: Vec<&Member> = facts.live().collect();
    if let Some(primary) = service.primary().filter(|_| has_deployments(service)) {
        let current = live.iter().filter(|m| facts.is_current(m, primary));
        return vec![Wanting {
            number: primary.number,
            throttle: primary.throttle,
            desired: service.desired,
            current: current.copied().collect(),
            live,
        }];
    }
    let sets = service.task_sets.iter();
    let kept = sets.filter(|set| set.status != TaskSetStatus::Draining);
    kept.map(|set| {
        let of_set = live.iter().filter(|member| member.of == set.number);
        let live: Vec<&Member> = of_set.copied().collect();
        let stays = |m: &&&Member| !m.is_draining && m.health != Health::Unhealthy;
        Wanting {
            number: set.number,
            throttle: set.throttle,
            desired: set.computed_desired(service.desired),
            current: live.iter().filter(stays).copied().collect(),
            live,
        }
    })
    .collect()
}

/// How many tasks there may be, and how many there are, where there is such a limit: a DAEMON's is
/// one on each instance, a task set has none.
fn room(facts: &Facts<'_>, wanting: &Wanting<'_>) -> Option<(u32, u32)> {
    let service = facts.service;
    let is_limited = has_deployments(service) && service.scheduling == Scheduling::Replica;
    is_limited.then(|| {
        let upper = Limits::of(service, wanting.desired).upper;
        (upper.max(wanting.desired), len(wanting.live.len()))
    })
}

/// Tasks of earlier deployments, or on instances that are drained, that have to stay for now.
fn minimum(facts: &Facts<'_>, primary: Option<&Deployment>) -> Option<Wait> {
    let primary = primary?;
    let minimum = Limits::of(facts.service, facts.service.desired).lower;
    let is_outdated = |m: &&Member| !facts.is_current(m, primary) && !m.is_protected();
    let outdated = facts.live().filter(is_outdated).count();
    // As the scheduler counts: young tasks of the PRIMARY do not count, those before it do.
    let counts = |m: &&Member| match facts.is_current(m, primary) {
        true => m.is_healthy(),
        false => m.is_serving(),
    };
    let serving = facts.live().filter(counts).count();
    (outdated > 0 && len(serving) <= minimum).then(|| Wait::Minimum {
        outdated: len(outdated),
        minimum,
        serving: len(serving),
    })
}

/// What happens by itself: on hosts, or as time passes.
fn under_way(facts: &Facts<'_>) -> Vec<Wait> {
    let mut waits = Vec::new();
    let ids = |which: &dyn Fn(&Member) -> bool| -> Vec<TaskId> {
        let found = facts.members.iter().filter(|member| which(member));
        found.map(|member| member.task.clone()).collect()
    };
    let starting = ids(&|m| !m.is_stopping && m.status != TaskStatus::Running);
    let is_unproven = |m: &Member| {
        let waits = match m.health {
            Health::Waiting(_) => true,
            Health::Healthy | Health::Unhealthy => false,
        };
        !m.is_stopping && m.status == TaskStatus::Running && waits
    };
    let unproven = ids(&is_unproven);
    let stopping = ids(&|m| m.is_stopping);
    if !starting.is_empty() {
        waits.push(Wait::Starting(starting));
    }
    if !unproven.is_empty() {
        waits.push(Wait::Unproven {
            tasks: unproven,
            from: facts.next_healthy(),
        });
    }
    if !stopping.is_empty() {
        waits.push(Wait::Stopping(stopping));
    }
    waits.extend(protected(facts));
    let away: Vec<String> = facts
        .seats
        .iter()
        .filter(|seat| !seat.is_ready)
        .map(|seat| seat.instance.0.clone())
        .collect();
    if !away.is_empty() {
        waits.push(Wait::Away(away));
    }
    waits
}

/// Protected tasks, where they are too many or of an earlier deployment.
fn protected(facts: &Facts<'_>) -> Option<Wait> {
    let primary = facts.service.primary();
    let live: Vec<&Member> = facts.live().collect();
    let is_surplus = len(live.len()) > facts.service.desired;
    let stands = |m: &&Member| {
        let is_old = primary.is_some_and(|primary| !facts.is_current(m, primary));
        m.is_protected() && (is_surplus || is_old)
    };
    let found: Vec<&Member> = live.into_iter().filter(|m| stands(m)).collect();
    let until = found.iter().filter_map(|m| m.protected_until).min()?;
    Some(Wait::Protected {
        tasks: found.into_iter().map(|m| m.task.clone()).collect(),
        until,
    })
}

impl Wait {
    /// The values, with `kind` saying which they are.
    #[must_use]
    pub fn facts(&self) -> Value {
        let ids = |tasks: &[TaskId]| tasks.iter().map(|task| task.0.clone()).collect::<Vec<_>>();
        match self {
            Self::Due => json!({ "kind": "due" }),
            Self::Held { of, rounds, until } => json!({
                "kind": "held", "of": crate::records::service::deployment_id(*of),
                "rounds": rounds, "until": until.iso8601(),
            }),
            Self::Failed(reason) => json!({ "kind": "failed", "reason": reason }),
            Self::NoPlace { missing, refused } => {
                json!({
                    "kind": "no-place", "missing": missing, "refused": refused.counts,
                    "closest": closest(refused),
                })
            }
            Self::Maximum {
                missing,
                maximum,
                present,
            } => json!({
                "kind": "maximum", "missing": missing, "maximum": maximum, "present": present,
            }),
            Self::Minimum {
                outdated,
                minimum,
                serving,
            } => json!({
                "kind": "minimum", "outdated": outdated, "minimum": minimum, "serving": serving,
            }),
            Self::Blocked => json!({ "kind": "blocked" }),
            Self::Starting(tasks) => json!({ "kind": "starting", "tasks": ids(tasks) }),
            Self::Unproven { tasks, from } => json!({
                "kind": "unproven", "tasks": ids(tasks), "from": from.map(Timestamp::iso8601),
            }),
            Self::Stopping(tasks) => json!({ "kind": "stopping", "tasks": ids(tasks) }),
            Self::Protected { tasks, until } => json!({
                "kind": "protected", "tasks": ids(tasks), "until": until.iso8601(),
            }),
            Self::Away(instances) => json!({ "kind": "away", "instances": instances }),
            Self::Uneven(uneven) => uneven.facts(),
        }
    }
}

/// The instances that came closest, with why they took no task.
pub(super) fn closest(refused: &Refused) -> Vec<Value> {
    let closest = refused.closest.iter().map(|refusal| {
        json!({
            "instance": refusal.instance.0, "reason": refusal.reason.name(),
            "detail": refusal.reason.detail(),
        })
    });
    closest.collect()
}

/// How many failures end a deployment of it; `None` where none does.
#[must_use]
pub fn breaker(service: &ServiceRecord) -> Option<u32> {
    circuit_breaker::is_enabled(service).then(|| circuit_breaker::threshold(service))
}

fn len(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
