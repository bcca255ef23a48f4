//! PutMetricData: answered when the samples are synced; all of them, or none.

use super::ask;
use crate::errors::{invalid, missing, missing_text, unavailable, value};
use crate::metrics::put::{self, DATA_MAX, Points};
use aws_api::Empty;
use aws_api::cloudwatch::PutMetricDataInput;
use aws_api::cloudwatch::errors::LIMIT_EXCEEDED_FAULT;
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{MetricStore, World};

/// Metrics of all scopes: a bound of ours, since their names are kept in memory.
const SERIES_MAX: usize = 500_000;

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
    if store.series_count() >= SERIES_MAX {
        return Err(LIMIT_EXCEEDED_FAULT.with("The limit of metrics has been reached."));
    }
    let points = points.into_points();
    if !points.is_empty() {
        store.append(&points, ctx.now).map_err(unavailable)?;
    }
    Ok(Empty {})
}
