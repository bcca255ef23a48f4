//! Where tasks went, and what refused them.

use crate::place::constraint::Constraint;
use crate::place::problem::Requirement;
use crate::place::solve::{Placement, Refusal, Refused};
use crate::place::strategy::Criterion;
use crate::records::task::TaskId;
use aws_types::Decision;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A call of RunTask or StartTask that reached its placement.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The cluster's name.
    pub cluster: String,
    /// `FAMILY:REVISION`.
    pub definition: String,
    /// The tasks' group.
    pub group: String,
    /// How many were asked for.
    pub count: u32,
    /// Instances that were registered in the cluster.
    pub instances: usize,
    /// What each task needs.
    pub needs: Requirement,
    /// In the order in which they decide; empty where none was given.
    pub strategy: Vec<Criterion>,
    /// Which instances may take it.
    pub constraints: Vec<Constraint>,
    /// The tasks that found room.
    pub placed: Vec<Seated>,
    /// How many instances refused the first task that found none, by AWS's word for the reason.
    pub refused: BTreeMap<&'static str, u32>,
    /// Those that came closest, the closest first.
    pub closest: Vec<Refusal>,
}

/// A task where it went, and what its instance had before.
#[derive(Clone, Debug)]
pub struct Seated {
    /// The task.
    pub task: TaskId,
    /// Where it went.
    pub at: Placement,
}

impl Placed {
    /// The same with what was refused. The list of all refusals is the caller's answer, not kept.
    #[must_use]
    pub fn with_refused(mut self, refused: Option<Refused>) -> Self {
        if let Some(refused) = refused {
            self.refused = refused.counts;
            self.closest = refused.closest;
        }
        self
    }
}

impl Decision for Placed {
    /// About the tasks that it placed and the instances that refused. What an instance took, its
    /// tasks' records say.
    fn concerns(&self, id: &str) -> bool {
        self.placed.iter().any(|one| one.task.0 == id)
            || self.closest.iter().any(|one| one.instance.0 == id)
    }

    fn bytes(&self) -> usize {
        // An id and the lists beside it; names of attributes and expressions are of this order too.
        const EACH: usize = 128;
        let needs = &self.needs;
        let lists = self.placed.len()
            + self.closest.len()
            + self.refused.len()
            + self.strategy.len()
            + self.constraints.len()
            + needs.attributes.len()
            + needs.platform.len();
        let ports = needs.reserved.tcp.len() + needs.reserved.udp.len();
        EACH * (lists + 2) + self.definition.len() + self.group.len() + 2 * ports
    }

    fn facts(&self) -> Value {
        let reserved = &self.needs.reserved;
        let seated = |one: &Seated| {
            json!({
                "task": one.task.0, "instance": one.at.instance.0, "gpus": one.at.gpus,
                "tasks_of_group": one.at.tasks_of_group, "tasks": one.at.tasks,
            })
        };
        let refusal = |one: &Refusal| {
            json!({
                "instance": one.instance.0, "reason": one.reason.name(),
                "detail": one.reason.detail(),
            })
        };
        let attributes = self
            .needs
            .attributes
            .iter()
            .map(|(name, value)| match value {
                Some(value) => format!("{name}={value}"),
                None => name.clone(),
            });
        let platform = self.needs.platform.iter();
        let platform = platform.map(|(name, value)| format!("{name}={value}"));
        json!({
            "kind": "placement",
            "cluster": self.cluster,
            "definition": self.definition,
            "group": self.group,
            "count": self.count,
            "instances": self.instances,
            "needs": {
                "cpu_units": reserved.cpu_units, "memory_mib": reserved.memory_mib,
                "gpus": self.needs.gpus, "interfaces": self.needs.interfaces, "tcp": reserved.tcp, "udp": reserved.udp,
                "attributes": attributes.chain(platform).collect::<Vec<_>>(),
            },
            "strategy": self.strategy.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "constraints": self.constraints.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "placed": self.placed.iter().map(seated).collect::<Vec<_>>(),
            "refused": self.refused,
            "closest": self.closest.iter().map(refusal).collect::<Vec<_>>(),
        })
    }
}
