//! What others ask of alarms: the state of one, and which ones a committed batch changed.

use super::records::{ALARMS, AlarmKey, Given, State};
use aws_api::cloudwatch::PutMetricAlarmInput;
use aws_types::Scope;
use std::collections::BTreeSet;
use store::{Key, World};

/// The state of the alarm of this name; `None` where there is none.
#[must_use]
pub fn state(world: &World, scope: &Scope, name: &str) -> Option<State> {
    let alarm = world.get(&ALARMS, &AlarmKey::new(scope, name))?;
    Some(alarm.state.value)
}

/// How far the alarm of this name looks back at each evaluation, in seconds: its longest period times its
/// evaluation periods; a composite alarm as far as one of those that it follows. `None` where there is none.
#[must_use]
pub fn looks_back_seconds(world: &World, scope: &Scope, name: &str) -> Option<u64> {
    let (mut seen, mut open) = (BTreeSet::new(), vec![name.to_owned()]);
    let mut longest = None;
    while let Some(name) = open.pop() {
        let Some(alarm) = world.get(&ALARMS, &AlarmKey::new(scope, &name)) else {
            continue;
        };
        let seconds = match &alarm.given {
            Given::Metric(given) => of_metric(given),
            Given::Composite { children, .. } => {
                open.extend(
                    children
                        .iter()
                        .filter(|child| !seen.contains(*child))
                        .cloned(),
                );
                0
            }
        };
        longest = longest.max(Some(seconds));
        seen.insert(name);
    }
    longest
}

fn of_metric(given: &PutMetricAlarmInput) -> u64 {
    let queries = given.metrics.iter().flatten();
    let of_queries = queries.filter_map(|query| {
        let of_stat = query.metric_stat.as_ref().and_then(|stat| stat.period);
        of_stat.or(query.period)
    });
    let period = given.period.into_iter().chain(of_queries).max();
    let count = |number: Option<i32>| number.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    count(period) * count(given.evaluation_periods)
}

/// An alarm that changed, came or went: deletion is among the changes, so that the row need not be there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Changed {
    /// Account number.
    pub account: String,
    /// E.g. `us-east-1`.
    pub region: String,
    /// `AlarmName`.
    pub name: String,
}

/// The alarms among these changes, table and key of each row of a committed batch.
#[must_use]
pub fn changed<'c>(changes: impl IntoIterator<Item = (&'c str, &'c Key)>) -> BTreeSet<Changed> {
    let alarms = changes
        .into_iter()
        .filter(|(table, _)| *table == ALARMS.name());
    alarms.filter_map(|(_, key)| one(key)).collect()
}

/// The alarm that one changed row is; `None` for a row of another table.
#[must_use]
pub fn changed_row(table: &str, key: &Key) -> Option<Changed> {
    match table == ALARMS.name() {
        true => one(key),
        false => None,
    }
}

fn one(key: &Key) -> Option<Changed> {
    let mut reader = key.reader();
    Some(Changed {
        account: reader.text()?,
        region: reader.text()?,
        name: reader.text()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::TableKey;

    #[test]
    fn the_alarms_of_a_batch_are_found_and_nothing_else() {
        let scope = Scope::new("000000000000", "us-east-1");
        let (a, b) = (AlarmKey::new(&scope, "a").encode(), Key::of(&["x"]));
        let found = changed([("cloudwatch.alarms", &a), ("ecs.services", &b)]);
        let names: Vec<_> = found.iter().map(|alarm| alarm.name.as_str()).collect();
        assert_eq!(names, ["a"]);
        assert_eq!(changed_row("ecs.services", &a), None);
    }
}
