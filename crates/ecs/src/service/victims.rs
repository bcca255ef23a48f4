//! Which tasks go first where a service has too many.
//!
//! Rule: semantics 5.2, "Scale-in": what does not count goes before what does, then the zone with
//! the most tasks; under binpack the instance with the most room; the newest first.

use super::facts::Member;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// How many tasks may be stopped: as many as are too many, and of these as many that count as
/// healthy as the minimum allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// In all.
    pub tasks: u32,
    /// Healthy ones among them.
    pub healthy: u32,
}

/// The tasks to stop, each chosen beside those before it. Protected ones are none of them.
#[must_use]
pub fn choose<'f>(candidates: &[&'f Member], allowed: Allowance) -> Vec<&'f Member> {
    let mut left: Vec<&Member> = candidates.to_vec();
    let mut by_zone: BTreeMap<Option<&str>, u32> = BTreeMap::new();
    for member in &left {
        *by_zone.entry(member.zone.as_deref()).or_default() += 1;
    }
    left.retain(|member| !member.is_protected());
    let (mut chosen, mut healthy_left) = (Vec::new(), allowed.healthy);
    while chosen.len() < allowed.tasks as usize {
        let may_go = |member: &Member| !member.is_serving() || healthy_left > 0;
        let best = left
            .iter()
            .enumerate()
            .filter(|(_, member)| may_go(member))
            .min_by_key(|(_, member)| {
                let zone = by_zone.get(&member.zone.as_deref()).copied().unwrap_or(0);
                order(member, zone)
            });
        let Some((at, _)) = best else { break };
        let member = left.swap_remove(at);
        healthy_left -= u32::from(member.is_serving());
        if let Some(count) = by_zone.get_mut(&member.zone.as_deref()) {
            *count -= 1;
        }
        chosen.push(member);
    }
    chosen
}

fn order(member: &Member, in_zone: u32) -> impl Ord + use<> {
    (
        !member.is_draining,
        member.is_serving(),
        member.is_healthy(),
        Reverse(in_zone),
        Reverse(member.room),
        Reverse(member.created),
        member.task.clone(),
    )
}
