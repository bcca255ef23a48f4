//! The table operation → function, and nothing else.

mod get_metric_data;
mod get_metric_statistics;
mod list_metrics;
mod put_metric_data;

use aws_api::cloudwatch::operations as api;
use iam::{Ask, Operation};

/// The operations of metrics.
#[must_use]
pub fn operations() -> Vec<Operation> {
    vec![
        Operation::metric_read::<api::GetMetricData>(
            get_metric_data::asks,
            get_metric_data::get_metric_data,
        ),
        Operation::metric_read::<api::GetMetricStatistics>(
            get_metric_statistics::asks,
            get_metric_statistics::get_metric_statistics,
        ),
        Operation::metric_read::<api::ListMetrics>(list_metrics::asks, list_metrics::list_metrics),
        Operation::metric_write::<api::PutMetricData>(
            put_metric_data::asks,
            put_metric_data::put_metric_data,
        ),
    ]
}

/// Metrics are no resources: whoever may do it may do it to all of them.
fn ask(action: &str) -> Vec<Ask> {
    vec![Ask {
        action: format!("cloudwatch:{action}"),
        resource: "*".into(),
    }]
}
