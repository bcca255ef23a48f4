//! GetMetricData: queries, statistics and expressions over them, in pages.

use super::ask;
use super::get_metric_statistics::check_period;
use crate::errors::{invalid, token};
use crate::metrics::math::{Budget, Series, Value};
use crate::metrics::query::{Asks, Plan, Query};
use crate::metrics::read::Window;
use aws_api::cloudwatch::{GetMetricDataInput, GetMetricDataOutput, MetricDataResult};
use aws_types::{AwsError, Ctx, Timestamp};
use iam::Ask;
use store::{MetricStore, World};

/// API reference: queries of one request.
const QUERIES_MAX: usize = 500;
/// API reference, `MaxDatapoints`: the greatest, and what is taken where none is given.
const POINTS_MAX: usize = 100_800;
/// Points and series that one request may have computed: a bound of ours. As many as can be read, and
/// each in an expression.
const COMPUTED_MAX: usize = 20 * POINTS_MAX;

/// Asks to read.
pub fn asks(_: &GetMetricDataInput, _: &World, _: &Ctx) -> Vec<Ask> {
    ask("GetMetricData")
}

/// Checks, reads, computes, cuts a page.
pub fn get_metric_data(
    _: &World,
    ctx: &mut Ctx,
    store: &dyn MetricStore,
    input: &GetMetricDataInput,
) -> Result<GetMetricDataOutput, AwsError> {
    let queries = input.metric_data_queries.as_deref().unwrap_or_default();
    if queries.len() > QUERIES_MAX {
        return Err(invalid(format!(
            "The collection MetricDataQueries must not have a size greater than {QUERIES_MAX}."
        )));
    }
    let from = input.start_time.unwrap_or_default();
    let until = input.end_time.unwrap_or_default();
    if from >= until {
        return Err(invalid(
            "The parameter StartTime must be less than the parameter EndTime.",
        ));
    }
    let plan = Plan::of(&ctx.scope, queries)?;
    let now = ctx.now;
    let (from, until) = Window::kept(from, until, now);
    check_windows(&plan, |period| Window::rounded(from, until, period, now))?;
    let window = |period| Window::rounded(from, until, period, now);
    let values = plan.values(store, window, &Budget::of(COMPUTED_MAX))?;
    let mut results = Vec::new();
    for query in plan.queries.iter().filter(|query| query.is_returned) {
        let found = values.get(&query.id);
        results.extend(shown(query, found, input.scan_by.as_deref())?);
    }
    let max = input
        .max_datapoints
        .and_then(|max| usize::try_from(max).ok());
    let max = max.unwrap_or(POINTS_MAX).clamp(1, POINTS_MAX);
    let before = match input.next_token.as_deref() {
        Some(text) => text.parse().map_err(|_| token())?,
        None => 0,
    };
    let next_token = cut(&mut results, before, max);
    Ok(GetMetricDataOutput {
        metric_data_results: Some(results),
        messages: Some(Vec::new()),
        next_token,
    })
}

/// What is read is bounded: by periods, since samples of one are put together.
fn check_windows(plan: &Plan, window: impl Fn(i32) -> Window) -> Result<(), AwsError> {
    let mut periods = 0_i64;
    for stat in plan.stats() {
        check_period(stat.period)?;
        periods = periods.saturating_add(window(stat.period).periods());
    }
    match periods > 10 * POINTS_MAX as i64 {
        true => Err(invalid(
            "You have requested too many datapoints. You may reduce the datapoints requested by increasing Period, or decreasing the time range.",
        )),
        false => Ok(()),
    }
}

/// The results of one query: a list has several.
fn shown(
    query: &Query,
    found: Option<&Value>,
    scan_by: Option<&str>,
) -> Result<Vec<MetricDataResult>, AwsError> {
    let result = |series: &Series| {
        let mut points: Vec<_> = series.points.iter().collect();
        // Rule: API reference, `ScanBy`: the newest first, unless asked otherwise.
        if scan_by != Some("TimestampAscending") {
            points.reverse();
        }
        let moments = points.iter().map(|(at, _)| Timestamp::from_millis(**at));
        MetricDataResult {
            id: Some(query.id.clone()),
            label: Some(label(query)),
            timestamps: Some(moments.collect()),
            values: Some(points.iter().map(|(_, value)| **value).collect()),
            status_code: Some("Complete".into()),
            ..MetricDataResult::default()
        }
    };
    match found {
        Some(Value::Series(series)) => Ok(vec![result(series)]),
        Some(Value::List(all)) => Ok(all.iter().map(result).collect()),
        Some(Value::Number(_)) | None => Err(invalid(format!(
            "Error in expression '{}': the result is a number, not a series; ReturnData must be false for it",
            query.id
        ))),
    }
}

fn label(query: &Query) -> String {
    match (&query.label, &query.asks) {
        (Some(label), _) => label.clone(),
        (None, Asks::Stat(stat)) => stat.metric.name.clone(),
        (None, Asks::Math(_)) => query.id.clone(),
    }
}

/// Leaves one page of the datapoints, counted over all results; gives the token of the next.
fn cut(results: &mut [MetricDataResult], before: usize, max: usize) -> Option<String> {
    let (mut passed, mut has_more) = (0, false);
    for result in results {
        let (Some(moments), Some(values)) = (&mut result.timestamps, &mut result.values) else {
            continue;
        };
        let count = values.len();
        let start = before.saturating_sub(passed).min(count);
        let end = before
            .saturating_add(max)
            .saturating_sub(passed)
            .min(count)
            .max(start);
        *moments = moments[start..end].to_vec();
        *values = values[start..end].to_vec();
        if end < count {
            has_more = true;
            result.status_code = Some("PartialData".into());
        }
        passed += count;
    }
    has_more.then(|| before.saturating_add(max).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(values: &[f64]) -> MetricDataResult {
        let moments = (0..values.len()).map(|at| Timestamp::from_millis(at as i64));
        MetricDataResult {
            timestamps: Some(moments.collect()),
            values: Some(values.to_vec()),
            ..MetricDataResult::default()
        }
    }

    #[test]
    fn pages_go_over_all_results_and_lose_nothing() {
        let all = [result(&[1.0, 2.0, 3.0]), result(&[]), result(&[4.0, 5.0])];
        let (mut seen, mut before) = (Vec::new(), 0);
        loop {
            let mut page = all.clone();
            let next = cut(&mut page, before, 2);
            seen.extend(page.iter().flat_map(|one| one.values.clone().unwrap()));
            match next {
                Some(next) => before = next.parse().unwrap(),
                None => break,
            }
        }
        assert_eq!(seen, [1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(before, 4);
    }
}
