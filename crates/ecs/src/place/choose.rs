//! Chooses an instance for one task, from the index: few instances are looked at, however many
//! there are.
//!
//! Pure; never over-commits; equal input gives an equal answer. Kinds are asked in the order of the
//! leading spreads over attributes, and only as far as one has room; of those kinds each class of
//! equal instances names its best one ([`super::search`]), and the best of these wins.
//! Rule: ECS developer guide, "Task placement": resources, attributes, constraints, strategies.

use super::constraint::Constraint;
use super::index::{Attributes, Cluster};
use super::problem::Requirement;
use super::query::{Expression, Facts};
use super::search::Search;
use super::strategy::Criterion;
use crate::records::container_instance::InstanceId;
use aws_types::Timestamp;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// What is asked, but for the instances.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// What the task needs.
    pub requirement: &'a Requirement,
    /// Its group.
    pub group: &'a str,
    /// Which instances may take it.
    pub constraints: &'a [Constraint],
    /// Which of them is best.
    pub strategy: &'a [Criterion],
    /// Decides where the strategy says random.
    pub seed: u64,
}

/// A task's instance, and what it had when it was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The instance.
    pub instance: InstanceId,
    /// The GPUs that the task gets, by id.
    pub gpus: Vec<String>,
    /// Active tasks of the same group that it had.
    pub tasks_of_group: u32,
    /// Tasks that it had.
    pub tasks: u32,
}

/// Whether an instance, by id, is what an expression asks for.
pub type Member<'a> = &'a dyn Fn(&str, &Expression) -> bool;

/// The best instance that takes the task; `None` when none does.
#[must_use]
pub fn choose(cluster: &Cluster, question: &Question<'_>, member: Member<'_>) -> Option<Placement> {
    let search = Search::new(cluster, question, member);
    let slot = best(&search)?;
    let node = cluster.node(slot)?;
    Some(Placement {
        instance: InstanceId(node.id.to_string()),
        gpus: node
            .free_gpus()
            .take(question.requirement.gpus as usize)
            .cloned()
            .collect(),
        tasks_of_group: search.of_group(slot),
        tasks: node.tasks,
    })
}

fn best(search: &Search<'_>) -> Option<u32> {
    let strategy = search.question.strategy;
    let leading = |criterion: &&Criterion| matches!(criterion, Criterion::SpreadAttribute(_));
    let leading = strategy.iter().take_while(leading).count();
    let mut reaches = reaches(search);
    let lead = |reach: &Reach<'_>, other: &Reach<'_>| {
        let (one, other) = (reach.figures.iter(), other.figures.iter());
        one.take(leading).cmp(other.take(leading))
    };
    reaches.sort_by(lead);
    for tied in reaches.chunk_by(|one, other| lead(one, other) == Ordering::Equal) {
        let mut best: Option<(u32, &Reach<'_>)> = None;
        for reach in tied.iter().filter(|reach| admits(search, reach.attributes)) {
            for (key, class) in search.cluster.classes_of(reach.kind) {
                let Some(slot) = search.best_of(key, class) else {
                    continue;
                };
                let better = |(than, of): (u32, &Reach<'_>)| {
                    compare(search, (slot, reach), (than, of)) == Ordering::Less
                };
                if best.is_none_or(better) {
                    best = Some((slot, reach));
                }
            }
        }
        if let Some((slot, _)) = best {
            return Some(slot);
        }
    }
    None
}

/// A kind, and how it fares by the strategies that look at its attributes alone.
struct Reach<'a> {
    kind: u32,
    attributes: &'a Attributes,
    /// One for each spread over an attribute, in their order; none where all are 0.
    figures: Vec<u64>,
}

fn reaches<'a>(search: &Search<'a>) -> Vec<Reach<'a>> {
    let kinds = search.cluster.kinds();
    let mut reaches = Vec::with_capacity(kinds.len());
    reaches.extend(kinds.iter().map(|(kind, found)| Reach {
        kind,
        attributes: &found.attributes,
        figures: Vec::new(),
    }));
    let Some((_, group)) = search.group else {
        return reaches;
    };
    for criterion in search.question.strategy {
        let Criterion::SpreadAttribute(name) = criterion else {
            continue;
        };
        // Tasks of the group on all instances that share a value of the attribute.
        let value = |attributes: &'a Attributes| attributes.get(name).and_then(Option::as_deref);
        let mut of_value: BTreeMap<Option<&str>, u64> = BTreeMap::new();
        for reach in &reaches {
            let of_kind = group.of_kind.get(&reach.kind).copied().unwrap_or(0);
            *of_value.entry(value(reach.attributes)).or_default() += u64::from(of_kind);
        }
        for reach in &mut reaches {
            let figure = of_value.get(&value(reach.attributes));
            reach.figures.push(figure.copied().unwrap_or(0));
        }
    }
    reaches
}

/// By every strategy in turn.
fn compare(search: &Search<'_>, one: (u32, &Reach<'_>), other: (u32, &Reach<'_>)) -> Ordering {
    let mut by_attribute = one.1.figures.iter().zip(&other.1.figures);
    for criterion in search.question.strategy {
        let order = match criterion {
            Criterion::SpreadAttribute(_) => by_attribute
                .next()
                .map_or(Ordering::Equal, |(one, other)| one.cmp(other)),
            _ => search.compare_by(criterion, one.0, other.0),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    search.compare_untold(one.0, other.0)
}

fn admits(search: &Search<'_>, attributes: &Attributes) -> bool {
    let question = search.question;
    question.requirement.lacks(attributes).is_none()
        && question.requirement.is_located(attributes)
        && question.constraints.iter().all(|one| match one {
            Constraint::MemberOf(asked) if asked.asks_attributes_only() => {
                asked.holds(&OfKind(attributes))
            }
            Constraint::MemberOf(_) | Constraint::DistinctInstance => true,
        })
}

/// What is asked of attributes alone.
struct OfKind<'a>(&'a Attributes);

impl Facts for OfKind<'_> {
    fn agent_connected(&self) -> bool {
        false
    }
    fn agent_version(&self) -> Option<&str> {
        None
    }
    fn ec2_instance_id(&self) -> &str {
        ""
    }
    fn registered_at(&self) -> Timestamp {
        Timestamp::from_millis(0)
    }
    fn running_tasks(&self) -> u32 {
        0
    }
    fn attribute(&self, name: &str) -> Option<Option<&str>> {
        self.0.get(name).map(Option::as_deref)
    }
    fn hosts_group(&self, _passes: &dyn Fn(&str) -> bool) -> bool {
        false
    }
}
