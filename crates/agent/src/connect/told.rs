//! What the proxies of this host counted, for `longshore why`.

use super::proxy::Counts;
use crate::engine::Host;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Of one endpoint in one task of this host, since the task, or the proxy, began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndpointCounts {
    /// The client's ARN.
    pub task: String,
    /// Its service.
    pub service: String,
    /// `discoveryName` of what it reaches.
    pub discovery_name: String,
    /// By the names of CloudWatch's metrics.
    pub metrics: BTreeMap<String, f64>,
    /// The same of each target, by the task's id.
    pub targets: BTreeMap<String, BTreeMap<String, f64>>,
}

/// All of them, each as a JSON text.
pub async fn all(host: &Host) -> Vec<String> {
    let mut counted = host.connect.counted().await.tasks;
    let mut all = Vec::new();
    for task in host.tasks() {
        let definition = &task.definition;
        for of in counted.remove(&definition.arn).unwrap_or_default() {
            let targets = of.targets.into_iter();
            let told = EndpointCounts {
                task: definition.arn.clone(),
                service: definition.service_name.clone(),
                discovery_name: of.discovery_name,
                metrics: metrics(&of.counts),
                targets: targets.map(|(id, of)| (id, metrics(&of))).collect(),
            };
            all.extend(serde_json::to_string(&told));
        }
    }
    all
}

fn metrics(counts: &Counts) -> BTreeMap<String, f64> {
    let [ok, moved, refused, failed] = counts.answers;
    let answered: u64 = counts.answers.iter().sum();
    let mean_ms = counts.response_time.as_secs_f64() * 1000.0 / answered.max(1) as f64;
    let all = [
        ("NewConnectionCount", counts.new_connections as f64),
        ("ActiveConnectionCount", counts.active_connections as f64),
        ("ProcessedBytes", counts.bytes as f64),
        ("RequestCount", counts.requests as f64),
        ("HTTPCode_Target_2XX_Count", ok as f64),
        ("HTTPCode_Target_3XX_Count", moved as f64),
        ("HTTPCode_Target_4XX_Count", refused as f64),
        ("HTTPCode_Target_5XX_Count", failed as f64),
        ("TargetResponseTime", mean_ms),
    ];
    all.map(|(name, value)| (name.to_owned(), value)).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn counts_have_the_names_of_metrics_and_times_are_means_in_milliseconds() {
        let counts = Counts {
            requests: 5,
            answers: [3, 0, 0, 1],
            response_time: Duration::from_millis(10),
            ..Counts::default()
        };
        let told = metrics(&counts);
        assert_eq!(told["RequestCount"], 5.0);
        assert_eq!(told["HTTPCode_Target_5XX_Count"], 1.0);
        assert_eq!(told["TargetResponseTime"], 2.5);
        assert_eq!(metrics(&Counts::default())["TargetResponseTime"], 0.0);
    }
}
