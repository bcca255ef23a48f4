//! What a host serves: a cluster as its container instance, or the launch type FARGATE. A host that does both has
//! one registration, one session and one record for each; a task is of the part that its launch type says.

use crate::config::AgentConfig;
use crate::task::definition::TaskDefinition;

/// Where hosts that lend FARGATE capacity are registered (`ecs::fargate`).
const LENT: &str = "aws:fargate";

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// A container instance of a cluster.
    Instance,
    /// Capacity for tasks of launch type FARGATE, of all clusters.
    Fargate,
}

impl Part {
    /// All, each at the place of its number.
    pub const ALL: [Self; 2] = [Self::Instance, Self::Fargate];

    /// Whose a task is.
    pub fn of(task: &TaskDefinition) -> Self {
        match task.is_fargate() {
            true => Self::Fargate,
            false => Self::Instance,
        }
    }

    /// The cluster to register in.
    pub fn cluster(self, config: &AgentConfig) -> &str {
        match self {
            Self::Instance => &config.cluster,
            Self::Fargate => LENT,
        }
    }

    /// Among the agent's records: what of Service Connect's counts was told.
    pub fn told_file(self) -> &'static str {
        match self {
            Self::Instance => "connect-told.json",
            Self::Fargate => "connect-told-fargate.json",
        }
    }

    /// Its record among the agent's.
    pub fn file(self) -> &'static str {
        match self {
            Self::Instance => "agent.json",
            Self::Fargate => "fargate.json",
        }
    }
}
