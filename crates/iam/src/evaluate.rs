//! Whether a caller may have what a request asks for.
//!
//! Until policies are built: root may everything; a host may what its agent needs, where the
//! resource is its own; a task may ask after its own protection, and by its execution role write its logs; anyone
//! else may nothing. What no rule allows is denied.
//! Rule: design, section 5, "Until IAM is built there are three principals"; decision 0010.

use aws_types::{AwsError, Caller, Principal, codes};
use store::World;

/// An action on a resource: what a request must be allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// In IAM's words, e.g. `ecs:RunTask`.
    pub action: String,
    /// An ARN, or `*` where the action is on no single resource.
    pub resource: String,
}

impl Ask {
    /// An action on a resource.
    #[must_use]
    pub fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        Self {
            action: action.into(),
            resource: resource.into(),
        }
    }

    /// An action on no single resource.
    #[must_use]
    pub fn any(action: impl Into<String>) -> Self {
        Self::new(action, "*")
    }
}

/// Whose a resource may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder<'a> {
    /// The host of this name.
    Host(&'a str),
    /// The task of this ARN.
    Task(&'a str),
}

/// Whether the resource of this ask belongs to the host or the task. Only the services know; `control` brings
/// them together. It is asked for [`HOST_ACTIONS`] and [`EXECUTION_ACTIONS`] alone.
pub type HostRights = fn(&World, Holder<'_>, &Ask) -> bool;

/// What a host's agent may ask for, where [`HostRights`] says that the resource is its own.
pub const HOST_ACTIONS: &[&str] = &[
    "ecs:DiscoverPollEndpoint",
    "ecs:ListTagsForResource",
    "ecs:Poll",
    "ecs:RegisterContainerInstance",
    "ecs:StartTelemetrySession",
    "ecs:SubmitAttachmentStateChanges",
    "ecs:SubmitContainerStateChange",
    "ecs:SubmitTaskStateChange",
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
];

/// What a task may ask for with its role's credentials, about itself.
const TASK_ACTIONS: &[&str] = &["ecs:GetTaskProtection", "ecs:UpdateTaskProtection"];

/// What a task's execution role may do, where [`HostRights`] says that the resource is the task's own.
/// Rule: AmazonECSTaskExecutionRolePolicy, and CreateLogGroup, which `awslogs-create-group` needs.
pub const EXECUTION_ACTIONS: &[&str] = &[
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
];

/// IAM allows it to every authenticated caller, whatever the policies say.
/// Rule: STS API reference, GetCallerIdentity.
const ALLOWED_TO_ALL: &str = "sts:GetCallerIdentity";

/// Allows all of the asks, or says which one is denied.
///
/// # Errors
/// `AccessDeniedException` in AWS's words; `InternalFailure` where nothing is asked: an operation
/// that declares no authorisation runs for nobody.
pub fn authorise(
    world: &World,
    caller: &Caller,
    asks: &[Ask],
    host_rights: HostRights,
) -> Result<(), AwsError> {
    if asks.is_empty() {
        return Err(codes::INTERNAL_FAILURE
            .with("An internal error occurred.")
            .detail("the operation declares no authorisation"));
    }
    match asks
        .iter()
        .find(|ask| !allows(world, caller, ask, host_rights))
    {
        None => Ok(()),
        Some(denied) => Err(access_denied(caller, denied)),
    }
}

fn allows(world: &World, caller: &Caller, ask: &Ask, host_rights: HostRights) -> bool {
    if ask.action == ALLOWED_TO_ALL {
        return true;
    }
    match &caller.principal {
        Principal::Root => true,
        Principal::Host { host } => {
            HOST_ACTIONS.contains(&ask.action.as_str())
                && host_rights(world, Holder::Host(host), ask)
        }
        Principal::Task { arn } => {
            TASK_ACTIONS.contains(&ask.action.as_str()) && ask.resource == *arn
        }
        Principal::Execution { arn } => {
            EXECUTION_ACTIONS.contains(&ask.action.as_str())
                && host_rights(world, Holder::Task(arn), ask)
        }
        Principal::Other => false,
    }
}

fn access_denied(caller: &Caller, ask: &Ask) -> AwsError {
    let Ask { action, resource } = ask;
    codes::ACCESS_DENIED.with(format!(
        "User: {} is not authorized to perform: {action} on resource: {resource} because no \
         identity-based policy allows the {action} action",
        caller.arn
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_types::Scope;
    use store::Schema;

    fn caller(principal: Principal) -> Caller {
        Caller {
            principal,
            arn: "arn:aws:iam::000000000000:user/u".into(),
            ..Caller::root(&Scope::new("000000000000", "us-east-1"), "AKIA")
        }
    }

    fn host() -> Principal {
        Principal::Host { host: "h1".into() }
    }

    fn task() -> Principal {
        Principal::Task {
            arn: "task-1".into(),
        }
    }

    #[test]
    fn only_what_is_allowed_is_not_denied() {
        let world = World::empty(&Schema::new(&[]));
        let own: HostRights = |_, holder, ask| match holder {
            Holder::Host(name) | Holder::Task(name) => ask.resource.ends_with(name),
        };
        let execution = || Principal::Execution {
            arn: "task-1".into(),
        };
        for (principal, action, resource, allowed) in [
            (Principal::Root, "ecs:DeleteCluster", "c", true),
            (Principal::Other, "ecs:ListClusters", "*", false),
            (Principal::Other, "sts:GetCallerIdentity", "*", true),
            (host(), "ecs:SubmitTaskStateChange", "task-of-h1", true),
            (host(), "ecs:SubmitTaskStateChange", "task-of-h2", false),
            (host(), "ecs:RunTask", "task-of-h1", false),
            (host(), "logs:PutLogEvents", "stream-of-h1", true),
            (host(), "logs:GetLogEvents", "stream-of-h1", false),
            (task(), "ecs:UpdateTaskProtection", "task-1", true),
            (task(), "ecs:UpdateTaskProtection", "task-2", false),
            (task(), "ecs:StopTask", "task-1", false),
            (task(), "sts:GetCallerIdentity", "*", true),
            (task(), "logs:PutLogEvents", "stream-of-task-1", false),
            (execution(), "logs:PutLogEvents", "stream-of-task-1", true),
            (execution(), "logs:PutLogEvents", "stream-of-task-2", false),
            (execution(), "logs:GetLogEvents", "stream-of-task-1", false),
            (execution(), "ecs:SubmitTaskStateChange", "task-1", false),
        ] {
            let asks = [Ask::new(action, resource)];
            let answer = authorise(&world, &caller(principal.clone()), &asks, own);
            assert_eq!(answer.is_ok(), allowed, "{principal:?} {action} {resource}");
        }
    }

    #[test]
    fn a_denial_is_in_aws_words_and_names_the_first_denied_ask() {
        let world = World::empty(&Schema::new(&[]));
        let asks = [
            Ask::any("sts:GetCallerIdentity"),
            Ask::new("ecs:ListClusters", "arn:c"),
        ];
        let error =
            authorise(&world, &caller(Principal::Other), &asks, |_, _, _| true).unwrap_err();
        assert_eq!(error.code(), codes::ACCESS_DENIED);
        assert_eq!(
            error.message(),
            "User: arn:aws:iam::000000000000:user/u is not authorized to perform: \
             ecs:ListClusters on resource: arn:c because no identity-based policy allows the \
             ecs:ListClusters action"
        );
    }

    #[test]
    fn who_asks_for_nothing_is_refused_even_as_root() {
        let world = World::empty(&Schema::new(&[]));
        let error = authorise(&world, &caller(Principal::Root), &[], |_, _, _| true).unwrap_err();
        assert_eq!(error.code(), codes::INTERNAL_FAILURE);
    }
}
