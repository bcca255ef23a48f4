//! Who asks.

use serde::{Deserialize, Serialize};

/// The kind of identity behind a request. Until IAM is built there are five (design: "Every
/// request is authenticated and authorised").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Principal {
    /// The account's root user: may do everything.
    Root,
    /// A host's agent: its own instance, its own tasks, their logs.
    Host {
        /// Name of the host, chosen when its key was made; stable over re-registration.
        host: String,
    },
    /// The containers of a task, by the credentials of its role.
    Task {
        /// The task's ARN.
        arn: String,
    },
    /// A task's agent on the task's behalf, by the credentials of its execution role.
    Execution {
        /// The task's ARN.
        arn: String,
    },
    /// Known, but with no permission at all.
    Other,
}

/// An authenticated identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// What kind of identity it is.
    pub principal: Principal,
    /// Twelve digits.
    pub account: String,
    /// As `GetCallerIdentity` shows it, e.g. `arn:aws:iam::000000000000:root`.
    pub arn: String,
    /// As `GetCallerIdentity` shows it; the account for root.
    pub user_id: String,
    /// The access key that signed the request.
    pub access_key_id: String,
}

impl Caller {
    /// The root user of an account.
    #[must_use]
    pub fn root(scope: &crate::Scope, access_key_id: &str) -> Self {
        Self {
            principal: Principal::Root,
            account: scope.account.clone(),
            arn: scope.root_arn(),
            user_id: scope.account.clone(),
            access_key_id: access_key_id.into(),
        }
    }

    /// The host's name when the caller is a host's agent.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        match &self.principal {
            Principal::Host { host } => Some(host),
            Principal::Root
            | Principal::Task { .. }
            | Principal::Execution { .. }
            | Principal::Other => None,
        }
    }
}
