//! Whether an instance is what an expression asks for.

use super::ast::{Comparison, Expression, Predicate, Subject, Test};
use super::value;
use aws_types::Timestamp;
use std::cmp::Ordering;

/// What of an instance can be asked for.
pub trait Facts {
    /// `agentConnected`.
    fn agent_connected(&self) -> bool;
    /// The agent's version, where it said one.
    fn agent_version(&self) -> Option<&str>;
    /// `ec2InstanceId`.
    fn ec2_instance_id(&self) -> &str;
    /// `registeredAt`.
    fn registered_at(&self) -> Timestamp;
    /// `runningTasksCount`.
    fn running_tasks(&self) -> u32;
    /// The attribute of this name; `Some(None)` for one without a value.
    fn attribute(&self, name: &str) -> Option<Option<&str>>;
    /// Whether one of its tasks has a group that passes.
    fn hosts_group(&self, passes: &dyn Fn(&str) -> bool) -> bool;
}

impl Expression {
    /// Whether it holds for this instance.
    #[must_use]
    pub fn holds(&self, facts: &dyn Facts) -> bool {
        match self {
            Self::Any(of) => of.iter().any(|one| one.holds(facts)),
            Self::All(of) => of.iter().all(|one| one.holds(facts)),
            Self::Not(inner) => !inner.holds(facts),
            Self::Is(predicate) => predicate.holds(facts),
        }
    }
}

impl Predicate {
    fn holds(&self, facts: &dyn Facts) -> bool {
        match &self.subject {
            Subject::AgentConnected => {
                let word = if facts.agent_connected() {
                    "true"
                } else {
                    "false"
                };
                self.test.passes(word)
            }
            Subject::Ec2InstanceId => self.test.passes(facts.ec2_instance_id()),
            Subject::AgentVersion => {
                let version = facts.agent_version().and_then(value::version);
                self.test.orders(version, value::version)
            }
            Subject::RegisteredAt => self.test.orders(Some(facts.registered_at()), value::moment),
            Subject::RunningTasksCount => {
                let read = |text: &str| text.parse().ok();
                self.test.orders(Some(facts.running_tasks()), read)
            }
            Subject::Attribute(name) => match (&self.test, facts.attribute(name)) {
                (Test::Exists(wanted), found) => found.is_some() == *wanted,
                // Also what is asked negatively holds only of an attribute that is there.
                (_, None) => false,
                (test, Some(found)) => test.passes(found.unwrap_or_default()),
            },
            Subject::TaskGroup => self.test.of_groups(facts),
        }
    }
}

impl Test {
    /// Whether a text passes.
    fn passes(&self, text: &str) -> bool {
        match self {
            Self::Exists(wanted) => *wanted,
            Self::Compares(comparison, with) => comparison.admits(compare(text, with)),
            Self::Matches(wanted, pattern) => pattern.matches(text) == *wanted,
            Self::In(wanted, list) => list.iter().any(|one| one == text) == *wanted,
        }
    }

    /// Whether a value that has an order passes; one that is not known does not.
    fn orders<T: Ord>(&self, value: Option<T>, read: impl Fn(&str) -> Option<T>) -> bool {
        let Self::Compares(comparison, with) = self else {
            return false;
        };
        match (value, read(with)) {
            (Some(value), Some(with)) => comparison.admits(value.cmp(&with)),
            _ => false,
        }
    }

    /// A negative question asks that no task's group be such.
    fn of_groups(&self, facts: &dyn Facts) -> bool {
        match self {
            Self::Compares(Comparison::NotEqual, with) => !facts.hosts_group(&|g| g == with),
            Self::Matches(false, pattern) => !facts.hosts_group(&|g| pattern.matches(g)),
            Self::In(false, list) => !facts.hosts_group(&|g| list.iter().any(|one| one == g)),
            positive => facts.hosts_group(&|g| positive.passes(g)),
        }
    }
}

impl Comparison {
    fn admits(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterEqual => ordering.is_ge(),
            Self::Less => ordering.is_lt(),
            Self::LessEqual => ordering.is_le(),
        }
    }
}

/// Numbers by size, other texts by their characters.
fn compare(one: &str, other: &str) -> Ordering {
    match (one.parse::<i64>(), other.parse::<i64>()) {
        (Ok(one), Ok(other)) => one.cmp(&other),
        _ => one.cmp(other),
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    struct Host;

    impl Facts for Host {
        fn agent_connected(&self) -> bool {
            true
        }
        fn agent_version(&self) -> Option<&str> {
            Some("1.86.3")
        }
        fn ec2_instance_id(&self) -> &str {
            "i-abcd1234"
        }
        fn registered_at(&self) -> Timestamp {
            Timestamp::from_millis(1_529_360_908_000) // 2018-06-18T22:28:28Z
        }
        fn running_tasks(&self) -> u32 {
            2
        }
        fn attribute(&self, name: &str) -> Option<Option<&str>> {
            match name {
                "ecs.instance-type" => Some(Some("t2.small")),
                "ssd" => Some(None),
                "rank" => Some(Some("10")),
                _ => None,
            }
        }
        fn hosts_group(&self, passes: &dyn Fn(&str) -> bool) -> bool {
            ["service:web", "databases"]
                .iter()
                .any(|group| passes(group))
        }
    }

    #[test]
    fn each_subject_is_asked_in_its_own_way() {
        for (text, expected) in [
            ("agentConnected == true", true),
            ("agentConnected != true", false),
            ("agentVersion >= 1.9.0", true),
            ("agentVersion < 1.86.3", false),
            ("ec2InstanceId in ['i-abcd1234', 'i-wxyx7890']", true),
            ("ec2InstanceId =~ i-abcd.*", true),
            ("ec2InstanceId =~ abcd", false),
            ("registeredAt > 2018-06-18", true),
            ("registeredAt == 2018-06-18T22:28:28+00:00", true),
            ("registeredAt < 2018-06-18T22:28:28Z", false),
            ("runningTasksCount == 2", true),
            ("runningTasksCount > 2", false),
            ("attribute:ecs.instance-type =~ t2.*", true),
            ("attribute:ecs.instance-type =~ 't2.(micro|small)'", true),
            ("attribute:ecs.instance-type !~ t2.*", false),
            ("attribute:ecs.instance-type == t2.small", true),
            ("attribute:ecs.instance-type in [t2.small, t2.micro]", true),
            ("attribute:ecs.instance-type !in [t2.small]", false),
            ("attribute:ssd exists", true),
            ("attribute:ssd !exists", false),
            ("attribute:gone !exists", true),
            ("attribute:gone != a", false),
            ("attribute:gone !in [a]", false),
            ("not(attribute:gone == a)", true),
            ("attribute:rank > 9", true),
            ("task:group == databases", true),
            ("task:group != databases", false),
            ("task:group != other", true),
            ("task:group =~ service:.*", true),
            ("task:group !in [a, service:web]", false),
            (
                "task:group == a or runningTasksCount < 3 and attribute:ssd exists",
                true,
            ),
            (
                "(task:group == a or runningTasksCount < 3) and attribute:gone exists",
                false,
            ),
        ] {
            assert_eq!(parse(text).unwrap().holds(&Host), expected, "{text}");
        }
    }
}
