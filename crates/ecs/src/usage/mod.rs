//! What tasks use, and what of clusters is reserved: the metrics of namespace `AWS/ECS`.
//!
//! * [`minute`]: what hosts say within a minute. [`reservation`]: what the World says at its end.
//! * [`insights`]: Container Insights, where a cluster has it.
//!
//! Rule: semantics 8.4; developer guide, "Amazon ECS CloudWatch metrics": utilization is what is used of
//! what is reserved, a sample for each running task and minute, so that the sample count is the number
//! of tasks.

mod insights;
pub mod minute;
mod reservation;

pub use minute::Minute;

use std::collections::BTreeMap;

/// `Namespace`.
const NAMESPACE: &str = "AWS/ECS";
const PERCENT: &str = "Percent";

/// `ClusterName`, and `ServiceName` where it is of a service.
fn dimensions(cluster: &str, service: Option<&str>) -> BTreeMap<String, String> {
    let mut all = BTreeMap::from([("ClusterName".to_owned(), cluster.to_owned())]);
    all.extend(service.map(|name| ("ServiceName".to_owned(), name.to_owned())));
    all
}
