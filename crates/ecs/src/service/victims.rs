//! Which tasks go first where a service has too many.
//!
//! Rule: semantics 5.2, "Scale-in": what does not count goes before what does, then the zone with
//! the most tasks; under binpack the instance with the most room; the newest first.

use super::facts::Member;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// How many tasks may be stopped: as many as are too many, and of these as many that serve and that
/// count as healthy as the minimum allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// In all.
    pub tasks: u32,
    /// Among them those that serve, healthy ones included.
    pub serving: u32,
    /// Among these the healthy ones.
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
    let mut chosen = Vec::new();
    let (mut serving_left, mut healthy_left) = (allowed.serving, allowed.healthy);
    while chosen.len() < allowed.tasks as usize {
        let may_go = |member: &Member| {
            (!member.is_serving() || serving_left > 0) && (!member.is_healthy() || healthy_left > 0)
        };
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
        serving_left -= u32::from(member.is_serving());
        healthy_left -= u32::from(member.is_healthy());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::container_instance::InstanceId;
    use crate::records::task::TaskId;
    use crate::service::facts::Health;
    use crate::task::status::TaskStatus;
    use aws_types::Timestamp;

    /// A healthy task of zone `a`, made at this second.
    fn member(name: &str, created: i64) -> Member {
        let at = Timestamp::from_millis(created * 1000);
        Member {
            task: TaskId(name.into()),
            of: 1,
            instance: InstanceId("i".into()),
            zone: Some("a".into()),
            status: TaskStatus::Running,
            created: at,
            started: Some(at),
            health: Health::Healthy,
            is_stopping: false,
            protected_until: None,
            is_draining: false,
            has_neighbours: false,
            room: 0,
        }
    }

    fn pending(name: &str, created: i64) -> Member {
        Member {
            status: TaskStatus::Pending,
            started: None,
            health: Health::Waiting(None),
            ..member(name, created)
        }
    }

    fn young(name: &str, created: i64) -> Member {
        Member {
            health: Health::Waiting(None),
            ..member(name, created)
        }
    }

    fn draining(name: &str) -> Member {
        Member {
            is_draining: true,
            ..member(name, 0)
        }
    }

    fn protected(name: &str) -> Member {
        Member {
            protected_until: Some(Timestamp::from_millis(1)),
            ..member(name, 9)
        }
    }

    fn in_zone(zone: &str, name: &str, created: i64) -> Member {
        Member {
            zone: Some(zone.into()),
            ..member(name, created)
        }
    }

    fn with_room(room: u32, name: &str, created: i64) -> Member {
        Member {
            room,
            ..member(name, created)
        }
    }

    fn chosen(members: &[Member], allowed: Allowance) -> String {
        let candidates: Vec<&Member> = members.iter().collect();
        let chosen = choose(&candidates, allowed);
        let names: Vec<&str> = chosen.iter().map(|member| member.task.0.as_str()).collect();
        names.join(" ")
    }

    fn all(tasks: u32) -> Allowance {
        Allowance {
            tasks,
            serving: tasks,
            healthy: tasks,
        }
    }

    #[test]
    fn those_go_first_that_are_missed_least() {
        for (what, members, order) in [
            (
                "the newest",
                vec![member("old", 1), member("new", 3), member("mid", 2)],
                "new mid old",
            ),
            (
                "by name where nothing else tells",
                vec![member("b", 1), member("a", 1)],
                "a b",
            ),
            (
                "what is not RUNNING, then what is young",
                vec![member("well", 9), young("young", 5), pending("pending", 1)],
                "pending young well",
            ),
            (
                "on a drained instance, whatever it is worth",
                vec![pending("pending", 9), draining("leaving")],
                "leaving pending",
            ),
            (
                "under binpack where most is free",
                vec![with_room(1, "full", 9), with_room(5, "roomy", 1)],
                "roomy full",
            ),
            (
                "the zone with most is looked for again after each",
                vec![
                    in_zone("a", "a1", 1),
                    in_zone("a", "a2", 2),
                    in_zone("a", "a3", 3),
                    in_zone("b", "b4", 4),
                    in_zone("b", "b5", 5),
                ],
                "a3 b5 a2 b4 a1",
            ),
            (
                "the zone goes before the room on the instance",
                vec![
                    in_zone("a", "a1", 1),
                    in_zone("a", "a2", 2),
                    Member {
                        room: 9,
                        ..in_zone("b", "b3", 3)
                    },
                ],
                "a2 b3 a1",
            ),
            (
                "a protected one never, though its zone counts it",
                vec![protected("kept"), member("a1", 1), in_zone("b", "b2", 2)],
                "a1 b2",
            ),
        ] {
            let count = u32::try_from(members.len()).unwrap_or(0);
            assert_eq!(chosen(&members, all(count)), order, "{what}");
        }
    }

    #[test]
    fn no_more_go_than_the_minimum_allows() {
        let members = [
            member("h1", 1),
            member("h2", 2),
            young("y3", 3),
            young("y4", 4),
            pending("p5", 5),
        ];
        for ((tasks, serving, healthy), expected) in [
            ((5, 4, 2), "p5 y4 y3 h2 h1"),
            ((2, 4, 2), "p5 y4"),
            ((5, 3, 1), "p5 y4 y3 h2"),
            ((5, 4, 0), "p5 y4 y3"),
            ((5, 1, 1), "p5 y4"),
            ((5, 0, 0), "p5"),
            ((0, 4, 2), ""),
        ] {
            let allowed = Allowance {
                tasks,
                serving,
                healthy,
            };
            assert_eq!(chosen(&members, allowed), expected, "{allowed:?}");
        }
    }
}
