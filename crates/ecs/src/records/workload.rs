//! What the tasks of a deployment or a task set are made from.

use super::connect::ConnectRecord;
use aws_api::Stored;
use aws_api::ecs::{LoadBalancer, NetworkConfiguration, ServiceRegistry};
use serde::{Deserialize, Serialize};

/// What a service's tasks are made from. A change of any of it makes a new deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// The definition's family.
    pub family: String,
    /// The definition's revision.
    pub revision: u32,
    /// `launchType`.
    pub launch_type: String,
    /// `platformVersion` as it was asked for, of launch type FARGATE.
    #[serde(default)]
    pub platform_version: Option<String>,
    /// `networkConfiguration`.
    #[serde(default)]
    pub network: Option<Stored<NetworkConfiguration>>,
    /// `serviceRegistries`: one at most.
    #[serde(default)]
    pub registries: Vec<Stored<ServiceRegistry>>,
    /// `loadBalancers`.
    #[serde(default)]
    pub load_balancers: Vec<Stored<LoadBalancer>>,
    /// `serviceConnectConfiguration`, where it is enabled.
    #[serde(default)]
    pub connect: Option<Box<ConnectRecord>>,
}

impl Workload {
    /// `serviceRegistries` as answers show them.
    #[must_use]
    pub fn shown_registries(&self) -> Vec<ServiceRegistry> {
        self.registries.iter().map(|one| one.0.clone()).collect()
    }

    /// `loadBalancers` as answers show them.
    #[must_use]
    pub fn shown_load_balancers(&self) -> Vec<LoadBalancer> {
        let all = self.load_balancers.iter();
        all.map(|one| one.0.clone()).collect()
    }
}
