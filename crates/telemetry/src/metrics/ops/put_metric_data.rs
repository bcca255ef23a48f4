//! PutMetricData: answered when the samples are synced; all of them, or none.

use super::ask;
use crate::errors::{invalid, missing, missing_text, unavailable, value};
use crate::metrics::put::{self, DATA_MAX, Points};
use aws_api::Empty;
use aws_api::cloudwatch::PutMetricDataInput;
use aws_api::cloudwatch::errors::LIMIT_EXCEEDED_FAULT;
use aws_types::{AwsError, Ctx};
use iam::Ask;
use std::collections::BTreeSet;
use store::{Held, MetricStore, NewPoint, World};

/// Metrics of all scopes, and of one: bounds of ours, since their names are kept in memory. One account or
/// region leaves room for others.
const ALL_MAX: Held = Held {
    series: 500_000,
    name_bytes: 128 * 1024 * 1024,
};
const SCOPE_MAX: Held = Held {
    series: 250_000,
    name_bytes: 64 * 1024 * 1024,
};

/// Asks to put data.
pub fn asks(_: &PutMetricDataInput, _: &World, _: &Ctx) -> Vec<Ask> {
    ask("PutMetricData")
}

/// Checks, appends.
pub fn put_metric_data(
    _: &World,
    ctx: &mut Ctx,
    store: &dyn MetricStore,
    input: &PutMetricDataInput,
) -> Result<Empty, AwsError> {
    let namespace = input.namespace.as_deref();
    let namespace = namespace.ok_or_else(|| missing("Namespace"))?;
    if namespace.starts_with("AWS/") {
        return Err(value(format!(
            "The value {namespace} for parameter Namespace is invalid."
        )));
    }
    let plain = input.metric_data.as_deref().unwrap_or_default();
    let plain = plain.iter().enumerate();
    let plain = plain.map(|(at, datum)| (format!("MetricData.member.{}", at + 1), datum));
    // Rule: an entity tells whose metrics these are; it changes none of them.
    let entities = input.entity_metric_data.as_deref().unwrap_or_default();
    let of_entities = entities.iter().enumerate().flat_map(|(entity, data)| {
        let data = data.metric_data.as_deref().unwrap_or_default();
        let path = format!("EntityMetricData.member.{}.MetricData.member", entity + 1);
        let each = data.iter().enumerate();
        each.map(move |(at, datum)| (format!("{path}.{}", at + 1), datum))
    });
    let all: Vec<_> = plain.chain(of_entities).collect();
    if all.is_empty() {
        return Err(missing_text("The parameter MetricData is required."));
    }
    if all.len() > DATA_MAX {
        return Err(invalid(format!(
            "The collection MetricData must not have a size greater than {DATA_MAX}."
        )));
    }
    let mut points = Points::default();
    for (path, datum) in all {
        put::add(&mut points, (&ctx.scope, ctx.now), namespace, &path, datum)?;
    }
    let points = points.into_points();
    check_room(store, &points, (ALL_MAX, SCOPE_MAX))?;
    if !points.is_empty() {
        store.append(&points, ctx.now).map_err(unavailable)?;
    }
    Ok(Empty {})
}

/// Metrics that are there take samples for ever; new ones only while there is room. All points of a request
/// are of one scope.
fn check_room(
    store: &dyn MetricStore,
    points: &[NewPoint],
    (all_max, scope_max): (Held, Held),
) -> Result<(), AwsError> {
    let names: BTreeSet<_> = points.iter().map(|point| &point.series).collect();
    let new: Vec<_> = names.into_iter().filter(|name| !store.has(name)).collect();
    let Some(first) = new.first() else {
        return Ok(());
    };
    let bytes: usize = new.iter().map(|name| name.0.len()).sum();
    let fits = |held: Held, max: Held| {
        held.series + new.len() <= max.series && held.name_bytes + bytes <= max.name_bytes
    };
    match fits(store.held(None), all_max) && fits(store.held(Some(first)), scope_max) {
        true => Ok(()),
        false => Err(LIMIT_EXCEEDED_FAULT.with("The limit of metrics has been reached.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::name::MetricName;
    use aws_types::{Scope, Timestamp};
    use std::collections::BTreeMap;
    use store::backend::MemoryMetricStore;

    #[test]
    fn a_full_store_refuses_new_metrics_alone_and_one_scope_leaves_room_for_others() {
        let store = MemoryMetricStore::default();
        let point = |region: &str, name: &str| {
            let scope = Scope::new("000000000000", region);
            NewPoint {
                series: MetricName::new(&scope, "n", name, BTreeMap::new()).series(),
                resolution: crate::metrics::point::MINUTE,
                at: Timestamp::EPOCH,
                value: Vec::new(),
            }
        };
        let max = |series, name_bytes| Held { series, name_bytes };
        let (all, scope) = (max(3, 1_000), max(2, 1_000));
        let fits = |points: &[NewPoint], bounds| check_room(&store, points, bounds).is_ok();
        let two = [point("a", "one"), point("a", "two")];
        assert!(fits(&two, (all, scope)));
        assert!(!fits(
            &[two[0].clone(), two[1].clone(), point("a", "more")],
            (all, scope)
        ));
        store.append(&two, Timestamp::EPOCH).unwrap();
        assert!(fits(&two, (all, scope)), "what is there");
        assert!(!fits(&[point("a", "three")], (all, scope)));
        assert!(fits(&[point("b", "one")], (all, scope)));
        let bytes = store.held(None).name_bytes;
        assert!(!fits(&[point("b", "one")], (max(9, bytes + 1), scope)));
        assert!(!fits(&[point("b", "one")], (all, max(9, 1))));
        while store.delete(&two[0].series, 9).unwrap() {}
        assert!(fits(&[point("a", "three")], (all, scope)));
    }
}
