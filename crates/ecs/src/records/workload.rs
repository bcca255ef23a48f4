//! What the tasks of a deployment or a task set are made from.

use super::connect::ConnectRecord;
use aws_api::Stored;
use aws_api::ecs::{
    CapacityProviderStrategyItem, LoadBalancer, NetworkConfiguration, ServiceRegistry,
};
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
    /// `capacityProviderStrategy`, in place of a launch type; `launch_type` is then the providers'.
    #[serde(default)]
    pub capacity_provider_strategy: Vec<Stored<CapacityProviderStrategyItem>>,
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
    /// `launchType` as answers show it: not beside a strategy.
    #[must_use]
    pub fn shown_launch_type(&self) -> Option<String> {
        let is_asked_for = self.capacity_provider_strategy.is_empty();
        is_asked_for.then(|| self.launch_type.clone())
    }

    /// `capacityProviderStrategy` as answers show it.
    #[must_use]
    pub fn shown_strategy(&self) -> Option<Vec<CapacityProviderStrategyItem>> {
        let all = self.capacity_provider_strategy.iter();
        let all: Vec<_> = all.map(|one| one.0.clone()).collect();
        (!all.is_empty()).then_some(all)
    }

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
