//! The partition, account and region that a request is about.

use crate::Arn;
use serde::{Deserialize, Serialize};

/// Where a request lives. Every record key starts with its account and region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Scope {
    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: String,
    /// Twelve digits.
    pub account: String,
    /// For example `us-east-1`.
    pub region: String,
}

impl Scope {
    /// A scope in the partition `aws`.
    #[must_use]
    pub fn new(account: &str, region: &str) -> Self {
        Self {
            partition: "aws".into(),
            account: account.into(),
            region: region.into(),
        }
    }

    /// An ARN in this scope, e.g. `arn("ecs", "cluster/default")`.
    #[must_use]
    pub fn arn(&self, service: &str, resource: &str) -> Arn {
        Arn {
            partition: self.partition.clone(),
            service: service.into(),
            region: self.region.clone(),
            account: self.account.clone(),
            resource: resource.into(),
        }
    }

    /// The account's root user, `arn:aws:iam::ACCOUNT:root`.
    #[must_use]
    pub fn root_arn(&self) -> String {
        format!("arn:{}:iam::{}:root", self.partition, self.account)
    }
}
