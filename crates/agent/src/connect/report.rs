//! What was counted, as TCS carries it: what is new since it was last told.
//!
//! Rule: agent-protocol 3, "Service Connect"; semantics 8.4, the names of the metrics and their dimensions.

use super::kept;
use super::protocol::Counted;
use super::proxy::Counts;
use aws_api::agent::{
    PublishMetricsRequest, ServiceConnectGeneralMetric, ServiceConnectMetrics,
    ServiceConnectMetricsDimension,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use tracing::warn;

/// Of a client's proxy; `1` would be a server's.
const EGRESS: &str = "2";
const CODES: [&str; 4] = [
    "HTTPCode_Target_2XX_Count",
    "HTTPCode_Target_3XX_Count",
    "HTTPCode_Target_4XX_Count",
    "HTTPCode_Target_5XX_Count",
];

/// What the proxies of a host counted.
#[derive(Debug, Default)]
pub struct Tally {
    /// Names the process with which the counts began.
    pub began: String,
    /// By the task's ARN, each discovery name once.
    pub tasks: BTreeMap<String, Vec<Counted>>,
}

impl Tally {
    /// Of these counts. On the bridge each container has a proxy of its own: they are one endpoint's.
    #[must_use]
    pub fn new(began: String, all: Vec<Counted>) -> Self {
        let mut tasks: BTreeMap<String, Vec<Counted>> = BTreeMap::new();
        for counted in all {
            let of = tasks.entry(counted.task.clone()).or_default();
            let name = &counted.discovery_name;
            match of.iter_mut().find(|known| known.discovery_name == *name) {
                Some(known) => {
                    known.counts.add(&counted.counts);
                    for (id, counts) in counted.targets {
                        known.targets.entry(id).or_default().add(&counts);
                    }
                }
                None => of.push(counted),
            }
        }
        Self { began, tasks }
    }
}

/// What was told before, by task and discovery name. The proxy outlives the agent, and so does this.
#[derive(Debug)]
pub struct Told {
    file: PathBuf,
    kept: Kept,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Kept {
    /// The counts' process; those of another began anew.
    began: String,
    counts: BTreeMap<String, BTreeMap<String, Counts>>,
}

impl Told {
    /// What an earlier agent told.
    #[must_use]
    pub fn open(file: PathBuf) -> Self {
        let kept = std::fs::read(&file).ok();
        let kept = kept.and_then(|text| serde_json::from_slice(&text).ok());
        Self {
            file,
            kept: kept.unwrap_or_default(),
        }
    }

    /// Adds to each task of these frames what is new of it. What tasks that are gone counted is forgotten.
    pub fn add(&mut self, frames: &mut [PublishMetricsRequest], tally: &Tally) {
        if self.kept.began != tally.began {
            self.kept = Kept {
                began: tally.began.clone(),
                ..Kept::default()
            };
        }
        let told = &mut self.kept.counts;
        told.retain(|task, _| tally.tasks.contains_key(task));
        for task in frames
            .iter_mut()
            .flat_map(|frame| frame.task_metrics.iter_mut().flatten())
        {
            let arn = task.task_arn.clone().unwrap_or_default();
            let of = tally.tasks.get(&arn).into_iter().flatten();
            let metrics = of.flat_map(|counted| {
                let (name, now) = (&counted.discovery_name, &counted.counts);
                let of_task = told.entry(arn.clone()).or_default();
                let before = of_task.insert(name.clone(), now.clone());
                metrics(
                    name,
                    &before.unwrap_or_default(),
                    (now, counted.targets.len()),
                )
            });
            let metrics: Vec<ServiceConnectMetrics> = metrics.collect();
            task.service_connect_metrics_wrapper = (!metrics.is_empty()).then_some(metrics);
        }
    }

    /// Writes it down, for the next agent.
    pub async fn keep(&self) {
        if let Err(error) = kept::write(&self.file, self.kept.clone()).await {
            warn!(%error, "what Service Connect counted could not be written down");
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

    fn told(told: &mut Told, began: &str, counts: Counts) -> BTreeMap<String, (f64, i64)> {
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
        let counted = Counted {
            task: "t".into(),
            discovery_name: "api".into(),
            counts,
            targets,
        };
        told.add(&mut frames, &Tally::new(began.into(), vec![counted]));
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

    #[tokio::test]
    async fn only_what_is_new_is_told_by_whatever_agent() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("told.json");
        let mut before = Told::open(file.clone());
        let first = Counts {
            new_connections: 3,
            active_connections: 2,
            bytes: 100,
            requests: 4,
            answers: [3, 0, 0, 1],
            response_time: Duration::from_millis(8),
        };
        let shown = told(&mut before, "p", first.clone());
        assert_eq!(shown["RequestCount"], (4.0, 1));
        assert_eq!(shown["RequestCountPerTarget"], (2.0, 1));
        assert_eq!(shown["HTTPCode_Target_2XX_Count"], (3.0, 1));
        assert_eq!(shown["TargetResponseTime"], (2.0, 4));
        before.keep().await;
        let second = Counts {
            requests: 5,
            ..first
        };
        let shown = told(&mut Told::open(file.clone()), "p", second.clone());
        assert_eq!(shown["RequestCount"], (1.0, 1));
        assert_eq!(shown["ActiveConnectionCount"], (2.0, 1));
        assert_eq!(shown["ProcessedBytes"], (0.0, 1));
        assert_eq!(shown.get("TargetResponseTime"), None);
        let shown = told(&mut Told::open(file), "another", second);
        assert_eq!(shown["RequestCount"], (5.0, 1), "it began anew");
    }

    #[test]
    fn an_endpoint_of_several_containers_is_one() {
        let of = |target: &str, requests: u64| {
            let counts = Counts {
                requests,
                ..Counts::default()
            };
            Counted {
                task: "t".into(),
                discovery_name: "api".into(),
                counts: counts.clone(),
                targets: BTreeMap::from([(target.to_owned(), counts)]),
            }
        };
        let tally = Tally::new("p".into(), vec![of("a", 1), of("a", 2), of("b", 4)]);
        let one = &tally.tasks["t"][0];
        assert_eq!((tally.tasks["t"].len(), one.counts.requests), (1, 7));
        let targets = one
            .targets
            .iter()
            .map(|(id, of)| (id.as_str(), of.requests));
        assert_eq!(targets.collect::<Vec<_>>(), [("a", 3), ("b", 4)]);
    }
}
