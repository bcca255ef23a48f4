//! What was counted, as TCS carries it: what is new since it was last told. Pure.
//!
//! Rule: agent-protocol 3, "Service Connect"; semantics 8.4, the names of the metrics and their dimensions.

use super::counters::Counts;
use aws_api::agent::{
    PublishMetricsRequest, ServiceConnectGeneralMetric, ServiceConnectMetrics,
    ServiceConnectMetricsDimension,
};
use std::collections::BTreeMap;

/// Of a client's proxy; `1` would be a server's.
const EGRESS: &str = "2";
const CODES: [&str; 4] = [
    "HTTPCode_Target_2XX_Count",
    "HTTPCode_Target_3XX_Count",
    "HTTPCode_Target_4XX_Count",
    "HTTPCode_Target_5XX_Count",
];

/// What was counted of one endpoint in one task: its discovery name, all, and each target's by its id.
pub type Counted = (String, Counts, BTreeMap<String, Counts>);

/// What was told before, by task and discovery name.
#[derive(Debug, Default)]
pub struct Told(BTreeMap<(String, String), Counts>);

impl Told {
    /// Adds to each task of these frames what is new of it. What tasks that are gone counted is forgotten.
    pub fn add(
        &mut self,
        frames: &mut [PublishMetricsRequest],
        counted: &BTreeMap<String, Vec<Counted>>,
    ) {
        self.0.retain(|(task, _), _| counted.contains_key(task));
        for task in frames
            .iter_mut()
            .flat_map(|frame| frame.task_metrics.iter_mut().flatten())
        {
            let arn = task.task_arn.clone().unwrap_or_default();
            let of = counted.get(&arn).into_iter().flatten();
            let metrics = of.flat_map(|(name, now, targets)| {
                let key = (arn.clone(), name.clone());
                let before = self.0.insert(key, now.clone()).unwrap_or_default();
                metrics(name, &before, (now, targets.len()))
            });
            let metrics: Vec<ServiceConnectMetrics> = metrics.collect();
            task.service_connect_metrics_wrapper = (!metrics.is_empty()).then_some(metrics);
        }
    }
}

/// Those of the endpoint, and those of its targets.
fn metrics(
    name: &str,
    before: &Counts,
    (now, targets): (&Counts, usize),
) -> [ServiceConnectMetrics; 2] {
    let new = |now: u64, then: u64| now.saturating_sub(then) as f64;
    let requests = new(now.requests, before.requests);
    let of_endpoint = vec![
        one(
            "NewConnectionCount",
            new(now.new_connections, before.new_connections),
            1,
        ),
        one("ActiveConnectionCount", now.active_connections as f64, 1),
        one("ProcessedBytes", new(now.bytes, before.bytes), 1),
        one("RequestCount", requests, 1),
    ];
    let answers = now.answers.iter().zip(before.answers);
    let answers: Vec<f64> = answers.map(|(now, then)| new(*now, then)).collect();
    let answered: f64 = answers.iter().sum();
    let mut of_targets: Vec<_> = CODES
        .into_iter()
        .zip(&answers)
        .map(|(name, count)| one(name, *count, 1))
        .collect();
    if answered > 0.0 {
        let took = now.response_time.saturating_sub(before.response_time);
        let mean_ms = took.as_secs_f64() * 1000.0 / answered;
        of_targets.push(one("TargetResponseTime", mean_ms, answered as i64));
    }
    if targets > 0 {
        of_targets.push(one("RequestCountPerTarget", requests / targets as f64, 1));
    }
    [
        of("DiscoveryName", name, of_endpoint),
        of("TargetDiscoveryName", name, of_targets),
    ]
}

fn one(name: &str, value: f64, count: i64) -> ServiceConnectGeneralMetric {
    ServiceConnectGeneralMetric {
        metric_name: Some(name.into()),
        metric_values: Some(vec![value]),
        metric_counts: Some(vec![count]),
    }
}

fn of(key: &str, value: &str, metrics: Vec<ServiceConnectGeneralMetric>) -> ServiceConnectMetrics {
    ServiceConnectMetrics {
        dimensions: Some(vec![ServiceConnectMetricsDimension {
            key: Some(key.into()),
            value: Some(value.into()),
        }]),
        metric_type: Some(EGRESS.into()),
        general_metrics: Some(metrics),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_api::agent::TaskMetric;
    use std::time::Duration;

    fn told(told: &mut Told, counts: Counts) -> BTreeMap<String, (f64, i64)> {
        let task = TaskMetric {
            task_arn: Some("t".into()),
            ..TaskMetric::default()
        };
        let mut frames = [PublishMetricsRequest {
            task_metrics: Some(vec![task]),
            ..PublishMetricsRequest::default()
        }];
        let targets = BTreeMap::from([
            ("a".to_owned(), Counts::default()),
            ("b".to_owned(), Counts::default()),
        ]);
        let counted = BTreeMap::from([("t".to_owned(), vec![("api".to_owned(), counts, targets)])]);
        told.add(&mut frames, &counted);
        let metrics = frames[0].task_metrics.clone().unwrap().remove(0);
        let metrics = metrics.service_connect_metrics_wrapper.unwrap();
        let all = metrics
            .into_iter()
            .flat_map(|one| one.general_metrics.unwrap());
        all.map(|one| {
            let (values, counts) = (one.metric_values.unwrap(), one.metric_counts.unwrap());
            (one.metric_name.unwrap(), (values[0], counts[0]))
        })
        .collect()
    }

    #[test]
    fn only_what_is_new_is_told() {
        let mut before = Told::default();
        let first = Counts {
            new_connections: 3,
            active_connections: 2,
            bytes: 100,
            requests: 4,
            answers: [3, 0, 0, 1],
            response_time: Duration::from_millis(8),
        };
        let shown = told(&mut before, first.clone());
        assert_eq!(shown["RequestCount"], (4.0, 1));
        assert_eq!(shown["RequestCountPerTarget"], (2.0, 1));
        assert_eq!(shown["HTTPCode_Target_2XX_Count"], (3.0, 1));
        assert_eq!(shown["TargetResponseTime"], (2.0, 4));
        let shown = told(
            &mut before,
            Counts {
                requests: 5,
                ..first
            },
        );
        assert_eq!(shown["RequestCount"], (1.0, 1));
        assert_eq!(shown["ActiveConnectionCount"], (2.0, 1));
        assert_eq!(shown["ProcessedBytes"], (0.0, 1));
        assert_eq!(shown.get("TargetResponseTime"), None);
    }
}
