//! ListMetrics: those that had data within two weeks, in order of namespace, name and dimensions.

use super::ask;
use crate::errors::{token, unavailable};
use crate::metrics::name::MetricName;
use aws_api::cloudwatch::{DimensionFilter, ListMetricsInput, ListMetricsOutput};
use aws_types::{AwsError, Ctx};
use base16::{read, write};
use iam::Ask;
use std::time::Duration;
use store::{LAST_ARRIVED_SLACK_SECONDS, MetricStore, SeriesName, World};

/// API reference: metrics of one page.
const PAGE: usize = 500;
/// Names read from the store at once.
const READ: usize = 1_000;
/// API reference: metrics without data for two weeks are not listed.
const LISTED: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// `RecentlyActive` is `PT3H`.
const RECENT: Duration = Duration::from_secs(3 * 60 * 60);

/// Asks to list.
pub fn asks(_: &ListMetricsInput, _: &World, _: &Ctx) -> Vec<Ask> {
    ask("ListMetrics")
}

/// Lists.
pub fn list_metrics(
    _: &World,
    ctx: &mut Ctx,
    store: &dyn MetricStore,
    input: &ListMetricsInput,
) -> Result<ListMetricsOutput, AwsError> {
    let age = match input.recently_active {
        Some(_) => RECENT,
        None => LISTED,
    };
    let slack = Duration::from_secs(LAST_ARRIVED_SLACK_SECONDS);
    let since = ctx.now.minus(age).minus(slack);
    let prefix = MetricName::prefix(
        &ctx.scope,
        input.namespace.as_deref(),
        input.metric_name.as_deref(),
    );
    let mut after = match input.next_token.as_deref() {
        Some(text) => Some(SeriesName(read(text).ok_or_else(token)?)),
        None => None,
    };
    let mut found = Vec::new();
    // One more than a page: whether there is another.
    while found.len() <= PAGE {
        let some = store.series(&prefix, after.as_ref(), READ);
        let some = some.map_err(unavailable)?;
        let is_last = some.len() < READ;
        after = some.last().map(|series| series.name.clone());
        let listed = some
            .into_iter()
            .filter(|series| series.last_arrived >= since);
        found.extend(listed.filter_map(|series| {
            let metric = MetricName::read(&series.name)?;
            is_wanted(&metric, input).then_some((series.name, metric))
        }));
        if is_last {
            break;
        }
    }
    let next = found.get(PAGE - 1).filter(|_| found.len() > PAGE);
    let next_token = next.map(|(name, _)| write(&name.0));
    let shown = found.iter().take(PAGE).map(|(_, metric)| metric.shape());
    Ok(ListMetricsOutput {
        metrics: Some(shown.collect()),
        next_token,
        ..ListMetricsOutput::default()
    })
}

fn is_wanted(metric: &MetricName, input: &ListMetricsInput) -> bool {
    let has = |filter: &DimensionFilter| {
        let name = filter.name.as_deref().unwrap_or_default();
        let found = metric.dimensions.get(name);
        found.is_some_and(|has| filter.value.as_ref().is_none_or(|value| value == has))
    };
    let name = input.metric_name.as_ref();
    name.is_none_or(|name| *name == metric.name)
        && input
            .dimensions
            .as_deref()
            .unwrap_or_default()
            .iter()
            .all(has)
}

/// Tokens are the name after which the next page begins, in hexadecimal.
mod base16 {
    pub fn write(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub fn read(text: &str) -> Option<Vec<u8>> {
        let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let is_even = text.len().is_multiple_of(2);
        is_even.then(|| text.as_bytes().chunks(2).map(pair).collect())?
    }
}
