//! Why a service whose tasks are unevenly spread over Availability Zones moves none now.
//!
//! Pure, from the decision that the scheduler itself takes ([`super::rebalance::evenness`]).

use super::explain::closest;
use super::facts::Facts;
use super::plan::{Place, Plan};
use super::rebalance::{Evenness, by_zone, evenness};
use crate::place::solve::Refused;
use crate::records::service::{Rollout, Scheduling, ServiceStatus};
use aws_types::Timestamp;
use serde_json::{Map, Value, json};

/// Zones of which some have too many tasks beside others, and why nothing moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uneven {
    /// Tasks in each zone, those without one included.
    pub tasks: Vec<(String, u32)>,
    /// Why.
    pub why: Stays,
}

/// Why nothing moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stays {
    /// A deployment is under way; zones are evened out after it.
    Deploying,
    /// A task was started to even them out, and has to be healthy before another goes.
    Moving,
    /// The service is not as desired otherwise.
    Unsteady,
    /// No more tasks than these may be there at once, and as many are desired.
    Maximum(u32),
    /// Tasks that would have to go are protected.
    Protected {
        /// How many.
        tasks: u32,
        /// When the first of them is no more.
        until: Option<Timestamp>,
    },
    /// Tasks fail: none is started before then.
    Held(Timestamp),
    /// The zones that lack tasks take none.
    NoPlace {
        /// These zones, the poorest first.
        zones: Vec<String>,
        /// Tries that found no place, one after another.
        tries: u32,
        /// When the next one is.
        until: Timestamp,
        /// What the instances of the poorest say.
        refused: Refused,
    },
}

/// The uneven zones of a service that is to keep them even, where it moves no task now. `no_place`: as
/// [`super::explain::waits`].
#[must_use]
pub fn uneven(
    facts: &Facts<'_>,
    plan: &Plan,
    no_place: &dyn Fn(u64, Option<&str>) -> Option<Refused>,
) -> Option<Uneven> {
    let service = facts.service;
    let evens = service.rebalances_zones
        && service.scheduling == Scheduling::Replica
        && service.status == ServiceStatus::Active;
    let moves = plan.start.iter().any(|start| match start.place {
        Place::In(_) => true,
        Place::Anywhere | Place::On(_) => false,
    });
    let primary = service.primary().filter(|_| evens && !moves)?;
    let found = evenness(facts, primary, service.desired);
    if found == Evenness::Even {
        return None;
    }
    let is_steady = plan.next.steady.is_some();
    let why = match found {
        _ if !is_steady && primary.rollout == Rollout::InProgress => Stays::Deploying,
        _ if !is_steady && service.is_rebalancing => Stays::Moving,
        _ if !is_steady => Stays::Unsteady,
        Evenness::Even | Evenness::Lacks(_) => return None,
        Evenness::Maximum(maximum) => Stays::Maximum(maximum),
        Evenness::Protected(tasks) => Stays::Protected {
            tasks,
            until: facts.next_unprotected(),
        },
        Evenness::Held(until) => Stays::Held(until),
        Evenness::NoPlace(last) => {
            let zones = last.seen.poor.into_iter().map(|zone| zone.name);
            let zones: Vec<String> = zones.collect();
            let poorest = zones.first().map(String::as_str);
            Stays::NoPlace {
                refused: no_place(primary.number, poorest).unwrap_or_default(),
                zones,
                tries: last.tries,
                until: last.after,
            }
        }
    };
    Some(Uneven {
        tasks: by_zone(facts),
        why,
    })
}

impl Uneven {
    /// The values, with `kind` and `why` saying which they are.
    #[must_use]
    pub fn facts(&self) -> Value {
        let mut facts = Map::new();
        facts.insert("kind".into(), json!("uneven"));
        let tasks = self.tasks.iter();
        let tasks: Map<String, Value> = tasks.map(|(zone, n)| (zone.clone(), json!(n))).collect();
        facts.insert("tasks_by_zone".into(), Value::Object(tasks));
        if let Value::Object(why) = self.why.facts() {
            facts.extend(why);
        }
        Value::Object(facts)
    }
}

impl Stays {
    fn facts(&self) -> Value {
        match self {
            Self::Deploying => json!({ "why": "deploying" }),
            Self::Moving => json!({ "why": "moving" }),
            Self::Unsteady => json!({ "why": "unsteady" }),
            Self::Maximum(maximum) => json!({ "why": "maximum", "maximum": maximum }),
            Self::Protected { tasks, until } => json!({
                "why": "protected", "protected": tasks, "until": until.map(Timestamp::iso8601),
            }),
            Self::Held(until) => json!({ "why": "held", "until": until.iso8601() }),
            Self::NoPlace {
                zones,
                tries,
                until,
                refused,
            } => json!({
                "why": "no-place", "lacking": zones, "tries": tries, "until": until.iso8601(),
                "refused": refused.counts, "closest": closest(refused),
            }),
        }
    }
}
