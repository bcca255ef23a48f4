//! Where a task of launch type FARGATE goes.
//!
//! Its subnets decide the zone, the one with the fewest tasks of the group first; then any host that lends
//! capacity there and has room. A host that names no zone serves all.
//! Rule: semantics 5.2 (spread over zones, not to be configured); the text is AWS's.

use super::launch::Launch;
use crate::fargate;
use crate::place::choose::{Question, choose};
use crate::place::problem::Requirement;
use crate::place::solve::{Decision, Placement, Reason, Refusal, Refused, refused};
use crate::place::strategy::Criterion;
use crate::records::container_instance::InstanceId;
use crate::records::overrides::TaskOverrides;
use crate::records::task::{FargateRecord, TASKS, TaskKey};
use crate::records::task_table::{BY_SERVICE, LIVE, service_parts};
use crate::task::status::DesiredStatus;
use aws_api::ecs::TaskDefinition;
use aws_types::{Ctx, Scope};
use std::collections::{BTreeMap, BTreeSet};
use store::{Txn, World};

/// On what terms FARGATE runs a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The version that runs, never `LATEST`.
    pub platform_version: String,
    /// The size of its own disk.
    pub ephemeral_gib: u32,
}

impl Terms {
    /// What a definition with these overrides asks of this version, `LATEST` or one.
    #[must_use]
    pub fn of(version: &str, definition: &TaskDefinition, overrides: &TaskOverrides) -> Self {
        let own = definition.ephemeral_storage.as_ref();
        let own = own.and_then(|storage| u32::try_from(storage.size_in_gi_b?).ok());
        Self {
            platform_version: fargate::resolved(version),
            ephemeral_gib: overrides
                .ephemeral_gib
                .or(own)
                .unwrap_or(fargate::EPHEMERAL_GIB),
        }
    }

    pub(super) fn record(&self, zone: Option<&str>) -> FargateRecord {
        FargateRecord {
            platform_version: self.platform_version.clone(),
            zone: zone.unwrap_or_default().into(),
            ephemeral_gib: self.ephemeral_gib,
        }
    }
}

impl Launch {
    /// Starts as many of `count` tasks as find capacity.
    pub(super) fn place_on_fargate(
        &self,
        txn: &mut Txn,
        ctx: &mut Ctx,
        count: u32,
    ) -> (Vec<TaskKey>, Decision) {
        let (mut keys, mut decision) = (Vec::new(), Decision::default());
        let mut of_zone = self.tasks_of_zones(txn, &ctx.scope);
        for _ in 0..count {
            let seed = ctx.ids.number();
            let seat = self.seat(txn, &ctx.scope, &of_zone, seed);
            let stored = seat.and_then(|(placement, zone)| {
                let stored = self.store(txn, ctx, &placement, Some(&zone));
                let key = stored.map_err(|error| Reason::Interface(error.to_string()))?;
                Ok((key, placement, zone))
            });
            match stored {
                Ok((key, placement, zone)) => {
                    *of_zone.entry(zone).or_default() += 1;
                    keys.push(key);
                    decision.placements.push(placement);
                }
                Err(reason) => {
                    let instance = InstanceId(String::new());
                    decision.refused = Some(Refused::of(vec![Refusal { instance, reason }]));
                    break;
                }
            }
        }
        (keys, decision)
    }

    /// Why no host would take one task now; `None` where one would.
    #[must_use]
    pub fn lacks_capacity(&self, world: &World, scope: &Scope) -> Option<Refused> {
        let of_zone = self.tasks_of_zones(world, scope);
        let reason = self.seat(world, scope, &of_zone, 0).err()?;
        let instance = InstanceId(String::new());
        Some(Refused::of(vec![Refusal { instance, reason }]))
    }

    /// A host for one task, and the zone of its subnet.
    fn seat(
        &self,
        world: &World,
        scope: &Scope,
        of_zone: &BTreeMap<String, u32>,
        seed: u64,
    ) -> Result<(Placement, String), Reason> {
        let zones = self
            .requirement_now(world, scope)
            .zones
            .clone()
            .unwrap_or_default();
        if zones.is_empty() {
            return Err(Reason::Addresses);
        }
        let Some(hosts) = fargate::hosts(world, scope) else {
            return Err(Reason::Capacity("no host lends capacity".into()));
        };
        let mut ordered: Vec<&String> = zones.iter().collect();
        let turn = usize::try_from(seed).unwrap_or(0) % ordered.len();
        ordered.rotate_left(turn);
        ordered.sort_by_key(|zone| of_zone.get(*zone).copied().unwrap_or(0));
        for zone in ordered {
            let requirement = self.in_one(zone);
            let question = Question {
                requirement: &requirement,
                group: &self.group,
                constraints: &[],
                strategy: &[Criterion::SpreadInstance],
                seed,
            };
            if let Some(placement) = choose(hosts, &question, &|_, _| true) {
                return Ok((placement, zone.clone()));
            }
        }
        let whole = Requirement {
            zones: Some(zones),
            ..self.requirement.clone()
        };
        let why = refused(hosts, &whole, &[], &self.group, &|_, _| true);
        let counts = why
            .counts
            .iter()
            .map(|(reason, count)| format!("{count} × {reason}"));
        let counts: Vec<String> = counts.collect();
        Err(Reason::Capacity(match counts.is_empty() {
            true => "no host lends capacity".into(),
            false => format!("of the hosts that lend capacity: {}", counts.join(", ")),
        }))
    }

    fn in_one(&self, zone: &str) -> Requirement {
        Requirement {
            zones: Some(BTreeSet::from([zone.to_owned()])),
            ..self.requirement.clone()
        }
    }

    /// By zone, the live tasks of the service. Tasks of a call count among themselves.
    fn tasks_of_zones(&self, world: &World, scope: &Scope) -> BTreeMap<String, u32> {
        let mut of_zone = BTreeMap::new();
        if self.service.is_none() {
            return of_zone;
        }
        let of_cluster = TaskKey::new(scope, &self.cluster, "");
        let live = service_parts(&of_cluster, &self.group, LIVE);
        for task in world.find(&TASKS, &BY_SERVICE, &live) {
            let stays = task.desired == DesiredStatus::Running;
            if let Some(run) = task.fargate.as_ref().filter(|_| stays) {
                *of_zone.entry(run.zone.clone()).or_default() += 1;
            }
        }
        of_zone
    }
}
