//! The frames of TCS: metrics, health and the state of the host, upward; acknowledgements downward.

use super::{epoch_seconds, frame};
use aws_types::Timestamp;
use serde::{Deserialize, Serialize};

frame! {
    /// What a publication says of itself.
    PublicationMetadata {
        cluster: String,
        container_instance: String,
        message_id: String,
        /// Of instance status: in place of a message id.
        request_id: String,
        /// No task runs.
        idle: bool,
        /// The last frame of its batch.
        fin: bool,
    }
    /// One task's samples.
    TaskMetric {
        task_arn: String,
        task_definition_family: String,
        task_definition_version: String,
        cluster_arn: String,
        container_metrics: Vec<ContainerMetric>,
        volume_metrics: Vec<VolumeMetric>,
        /// Every third time.
        service_connect_metrics_wrapper: Vec<ServiceConnectMetrics>,
    }
    /// What proxies of Service Connect counted, of one set of dimensions.
    ServiceConnectMetrics {
        dimensions: Vec<ServiceConnectMetricsDimension>,
        /// `1` is ingress, `2` egress.
        metric_type: String,
        general_metrics: Vec<ServiceConnectGeneralMetric>,
    }
    /// For example `DiscoveryName`.
    ServiceConnectMetricsDimension {
        key: String,
        value: String,
    }
    /// Values of a metric, and how many times each.
    ServiceConnectGeneralMetric {
        metric_name: String,
        metric_values: Vec<f64>,
        metric_counts: Vec<i64>,
    }
    /// One container's samples.
    ContainerMetric {
        container_name: String,
        container_arn: String,
        /// Per cent of the whole host.
        cpu_stats_set: CwStatsSet,
        /// MiB, page cache excluded.
        memory_stats_set: CwStatsSet,
        /// Absent on the host's network.
        network_stats_set: NetworkStatsSet,
        storage_stats_set: StorageStatsSet,
        restart_stats_set: RestartStatsSet,
    }
    /// A volume's size and use.
    VolumeMetric {
        volume_id: String,
        volume_name: String,
        utilized: CwStatsSet,
        size: CwStatsSet,
    }
    /// Statistics of samples.
    CwStatsSet {
        min: f64,
        max: f64,
        sample_count: i64,
        sum: f64,
    }
    /// Statistics of samples of 64 bits.
    ULongStatsSet {
        min: i64,
        overflow_min: i64,
        max: i64,
        overflow_max: i64,
        sample_count: i64,
        sum: i64,
        overflow_sum: i64,
    }
    /// Traffic.
    NetworkStatsSet {
        rx_bytes: ULongStatsSet,
        rx_dropped: ULongStatsSet,
        rx_errors: ULongStatsSet,
        rx_packets: ULongStatsSet,
        tx_bytes: ULongStatsSet,
        tx_dropped: ULongStatsSet,
        tx_errors: ULongStatsSet,
        tx_packets: ULongStatsSet,
        rx_bytes_per_second: CwStatsSet,
        tx_bytes_per_second: CwStatsSet,
    }
    /// Disk traffic.
    StorageStatsSet {
        read_size_bytes: ULongStatsSet,
        write_size_bytes: ULongStatsSet,
    }
    /// Restarts in place.
    RestartStatsSet {
        /// Since the last publication.
        restart_count: i64,
    }
    /// The health of a task's containers.
    TaskHealth {
        task_arn: String,
        cluster_arn: String,
        task_definition_family: String,
        task_definition_version: String,
        containers: Vec<ContainerHealth>,
    }
    /// The metrics were taken.
    AckPublishMetric {
        message: String,
    }
    /// The health was taken.
    AckPublishHealth {
        message: String,
    }
    /// The status was taken.
    AckPublishInstanceStatus {
        message: String,
    }
}

/// A struct of optional members that ends in moments, in epoch seconds.
macro_rules! dated {
    ($($(#[$doc:meta])* $name:ident {
        $($member:ident: $type:ty,)*
        ; $($moment:ident),*
    })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
            #[serde(default, rename_all = "camelCase")]
            pub struct $name {
                $(
                    #[serde(skip_serializing_if = "Option::is_none")]
                    pub $member: Option<$type>,
                )*
                $(
                    #[serde(with = "epoch_seconds", skip_serializing_if = "Option::is_none")]
                    pub $moment: Option<Timestamp>,
                )*
            }
        )*
    };
}

dated! {
    /// Metrics of at most ten tasks.
    PublishMetricsRequest {
        metadata: PublicationMetadata,
        task_metrics: Vec<TaskMetric>,
        ; timestamp
    }
    /// Health of containers; the only way it reaches the control plane.
    PublishHealthRequest {
        metadata: PublicationMetadata,
        tasks: Vec<TaskHealth>,
        ; timestamp
    }
    /// A container's health: `HEALTHY`, `UNHEALTHY` or `UNKNOWN`.
    ContainerHealth {
        container_name: String,
        health_status: String,
        status_message: String,
        ; status_since
    }
    /// The state of the host's parts.
    PublishInstanceStatusRequest {
        metadata: PublicationMetadata,
        statuses: Vec<InstanceStatus>,
        ; timestamp
    }
    /// A part's state: type `ContainerRuntime`, `Agent`, …; status `OK`, `IMPAIRED`,
    /// `INSUFFICIENT_DATA` or `INITIALIZING`.
    InstanceStatus {
        r#type: String,
        status: String,
        status_reason: String,
        ; last_updated, last_status_change
    }
}
