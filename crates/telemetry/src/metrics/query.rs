//! Queries: what is asked of metrics, some of it by expressions over the rest.
//!
//! Rule: API reference, MetricDataQuery.

use super::math::{self, Budget, Expression, Given, Series, Value};
use super::name::MetricName;
use super::read::{Window, read};
use super::statistic::Statistic;
use crate::errors::{invalid, unavailable};
use aws_api::cloudwatch::{MetricDataQuery, MetricStat};
use aws_types::{AwsError, Scope, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use store::MetricStore;

/// Queries that were checked, in the order of the request.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// All of them.
    pub queries: Vec<Query>,
    /// Indexes of the expressions, each behind those that it names.
    order: Vec<usize>,
}

/// One query.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// `Id`.
    pub id: String,
    /// `Label`.
    pub label: Option<String>,
    /// `ReturnData`.
    pub is_returned: bool,
    /// What it asks.
    pub asks: Asks,
}

/// What a query asks.
#[derive(Clone, Debug, PartialEq)]
pub enum Asks {
    /// A statistic of a metric.
    Stat(Stat),
    /// The value of an expression.
    Math(Expression),
}

/// A statistic of a metric, period by period.
#[derive(Clone, Debug, PartialEq)]
pub struct Stat {
    /// Of which metric.
    pub metric: MetricName,
    /// Seconds.
    pub period: i32,
    /// Which statistic.
    pub statistic: Statistic,
    /// Samples of this unit alone.
    pub unit: Option<String>,
}

impl Stat {
    fn of(scope: &Scope, stat: &MetricStat) -> Option<Self> {
        let metric = stat.metric.clone().unwrap_or_default();
        Some(Self {
            metric: MetricName::of(
                scope,
                metric.namespace.as_deref(),
                metric.metric_name.as_deref(),
                metric.dimensions.as_deref(),
            ),
            period: stat.period?,
            statistic: Statistic::parse(stat.stat.as_deref()?)?,
            unit: stat.unit.clone(),
        })
    }

    /// Its values in a window, by start of period; with them how many samples each is of.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn values(
        &self,
        store: &dyn MetricStore,
        window: Window,
    ) -> Result<BTreeMap<Timestamp, Measured>, AwsError> {
        let found = read(store, &self.metric, window).map_err(unavailable)?;
        let mut sums = BTreeMap::new();
        for ((at, unit), samples) in found {
            if self.unit.as_ref().is_some_and(|wanted| *wanted != unit) {
                continue;
            }
            // Rule: without a unit, whatever unit the samples have.
            let sum = match sums.remove(&at) {
                Some(before) => super::samples::Samples::and(before, &samples),
                None => samples,
            };
            sums.insert(at, sum);
        }
        let each = sums.into_iter().filter_map(|(at, samples)| {
            let value = samples.statistic(self.statistic)?;
            let count = samples.count;
            Some((at, Measured { value, count }))
        });
        Ok(each.collect())
    }
}

/// A value of a period, and how many samples it is of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// The statistic.
    pub value: f64,
    /// Samples.
    pub count: f64,
}

impl Plan {
    /// Checks queries.
    ///
    /// # Errors
    /// `ValidationError`, for the first rule that is broken.
    pub fn of(scope: &Scope, queries: &[MetricDataQuery]) -> Result<Self, AwsError> {
        check(queries)?;
        let mut read = Vec::new();
        for query in queries {
            let id = query.id.clone().unwrap_or_default();
            let asks = match (&query.metric_stat, &query.expression) {
                (Some(stat), _) => Stat::of(scope, stat).map(Asks::Stat),
                (None, Some(text)) => {
                    let parsed = math::parse(text);
                    Some(Asks::Math(
                        parsed.map_err(|error| in_expression(&id, &error.0))?,
                    ))
                }
                (None, None) => None,
            };
            read.push(Query {
                asks: asks.ok_or_else(|| invalid(format!("The query {id} asks for nothing.")))?,
                id,
                label: query.label.clone(),
                is_returned: query.return_data.unwrap_or(true),
            });
        }
        let order = order(&read)?;
        Ok(Self {
            queries: read,
            order,
        })
    }

    /// The statistics among the queries.
    pub fn stats(&self) -> impl Iterator<Item = &Stat> {
        self.queries.iter().filter_map(|query| match &query.asks {
            Asks::Stat(stat) => Some(stat),
            Asks::Math(_) => None,
        })
    }

    /// The values of all queries by id. `window` says which stretch of time a period's values are of.
    ///
    /// # Errors
    /// The store cannot be read, an expression has no value, or all together take more than the budget.
    pub fn values(
        &self,
        store: &dyn MetricStore,
        window: impl Fn(i32) -> Window,
        budget: &Budget,
    ) -> Result<BTreeMap<String, Value>, AwsError> {
        let of_stat = |stat: &Stat| {
            let found = stat.values(store, window(stat.period))?.into_iter();
            Ok(found.map(|(at, one)| (at.millis(), one.value)).collect())
        };
        self.computed(of_stat, &window, budget)
    }

    /// The values where each statistic has two points, of 1: what kind of value each query has.
    ///
    /// # Errors
    /// An expression has no value.
    pub fn trial(&self, budget: &Budget) -> Result<BTreeMap<String, Value>, AwsError> {
        let window = |period: i32| Window {
            from: Timestamp::EPOCH,
            until: Timestamp::from_millis(i64::from(period) * 2_000),
            period,
        };
        let of_stat = |stat: &Stat| {
            let second = i64::from(stat.period) * 1_000;
            Ok(BTreeMap::from([(0, 1.0), (second, 1.0)]))
        };
        self.computed(of_stat, &window, budget)
    }

    fn computed(
        &self,
        of_stat: impl Fn(&Stat) -> Result<BTreeMap<i64, f64>, AwsError>,
        window: &dyn Fn(i32) -> Window,
        budget: &Budget,
    ) -> Result<BTreeMap<String, Value>, AwsError> {
        let mut values = BTreeMap::new();
        let mut metrics = Vec::new();
        for query in &self.queries {
            let Asks::Stat(stat) = &query.asks else {
                continue;
            };
            let points = of_stat(stat)?;
            let spent = budget.spend(1 + points.len());
            spent.map_err(|error| in_expression(&query.id, &error.0))?;
            let series = Series {
                points,
                period: i64::from(stat.period) * 1_000,
            };
            values.insert(query.id.clone(), Value::Series(series));
            metrics.push(query.id.clone());
        }
        let whole = self.stats().map(|stat| window(stat.period));
        let (from, until) = whole.fold((i64::MAX, i64::MIN), |(from, until), window| {
            let (start, end) = (window.from.millis(), window.until.millis());
            (from.min(start), until.max(end))
        });
        for index in &self.order {
            let query = &self.queries[*index];
            let Asks::Math(expression) = &query.asks else {
                continue;
            };
            let given = Given {
                results: &values,
                metrics: &metrics,
                from,
                until,
                budget,
            };
            let value = math::evaluate(expression, given);
            let value = value.map_err(|error| in_expression(&query.id, &error.0))?;
            values.insert(query.id.clone(), value);
        }
        Ok(values)
    }
}

fn in_expression(id: &str, why: &str) -> AwsError {
    invalid(format!("Error in expression '{id}': {why}"))
}

/// Expressions behind those that they name.
fn order(queries: &[Query]) -> Result<Vec<usize>, AwsError> {
    let ids: BTreeSet<&str> = queries.iter().map(|query| query.id.as_str()).collect();
    let mut waiting = Vec::new();
    let mut known = BTreeSet::new();
    for (index, query) in queries.iter().enumerate() {
        match &query.asks {
            Asks::Stat(_) => {
                known.insert(query.id.as_str());
            }
            Asks::Math(expression) => {
                let mut names = expression.references();
                // Words of FILL, not ids.
                names.retain(|name| !matches!(*name, "REPEAT" | "LINEAR"));
                if let Some(unknown) = names.iter().find(|name| !ids.contains(**name)) {
                    let why = format!("{unknown} is not the id of a query");
                    return Err(in_expression(&query.id, &why));
                }
                waiting.push((index, names));
            }
        }
    }
    let mut order = Vec::new();
    while !waiting.is_empty() {
        let ready = waiting
            .iter()
            .position(|(_, names)| names.is_subset(&known));
        let Some(ready) = ready else {
            return Err(invalid("The expressions name one another in a circle."));
        };
        let (index, _) = waiting.remove(ready);
        known.insert(queries[index].id.as_str());
        order.push(index);
    }
    Ok(order)
}

/// What every list of queries must keep to, an alarm's and GetMetricData's.
fn check(queries: &[MetricDataQuery]) -> Result<(), AwsError> {
    let mut ids = BTreeSet::new();
    for query in queries {
        let id = query.id.as_deref().unwrap_or_default();
        let mut letters = id.chars();
        let is_id = letters
            .next()
            .is_some_and(|first| first.is_ascii_lowercase())
            && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        if !is_id {
            return Err(invalid(format!(
                "The value {id} for parameter Id is invalid: it must begin with a lowercase letter and hold letters, numbers and underscores alone."
            )));
        }
        if !ids.insert(id) {
            return Err(invalid(format!(
                "The value {id} for parameter Id is not unique."
            )));
        }
        match (&query.metric_stat, &query.expression) {
            (Some(stat), None) => {
                let stat = stat.stat.as_deref().unwrap_or_default();
                if Statistic::parse(stat).is_none() {
                    return Err(invalid(format!(
                        "The value {stat} for parameter MetricDataQueries.member.MetricStat.Stat is not a valid statistic."
                    )));
                }
            }
            (None, Some(_)) => {}
            _ => {
                return Err(invalid(format!(
                    "Exactly one of MetricStat and Expression must be given for the query {id}."
                )));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_api::cloudwatch::Metric;

    fn math(id: &str, expression: &str) -> MetricDataQuery {
        MetricDataQuery {
            id: Some(id.into()),
            expression: Some(expression.into()),
            ..MetricDataQuery::default()
        }
    }

    fn stat(id: &str) -> MetricDataQuery {
        MetricDataQuery {
            id: Some(id.into()),
            metric_stat: Some(MetricStat {
                metric: Some(Metric::default()),
                period: Some(60),
                stat: Some("Sum".into()),
                unit: None,
            }),
            ..MetricDataQuery::default()
        }
    }

    #[test]
    fn expressions_come_behind_what_they_name_and_circles_are_refused() {
        let scope = Scope::new("000000000000", "us-east-1");
        let plan = |queries: &[MetricDataQuery]| Plan::of(&scope, queries);
        let good = [math("e2", "e1 * 2"), math("e1", "m1 + 1"), stat("m1")];
        assert_eq!(plan(&good).unwrap().order, [1, 0]);
        for (queries, reason) in [
            (vec![math("e1", "e2"), math("e2", "e1")], "circle"),
            (vec![math("e1", "e1")], "circle"),
            (vec![math("e1", "m1")], "not the id"),
            (vec![math("e1", "1 +")], "ends too early"),
            (vec![stat("1m")], "lowercase letter"),
            (vec![stat("m"), stat("m")], "not unique"),
            (vec![MetricDataQuery::default()], "lowercase letter"),
        ] {
            let error = plan(&queries).unwrap_err();
            assert_eq!(error.code().name, "ValidationError");
            assert!(error.message().contains(reason), "{}", error.message());
        }
    }
}
