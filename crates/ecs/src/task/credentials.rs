//! The credentials of a task's roles: which, in what form an agent gets them, and when anew.
//!
//! They are good for six hours and made anew each three, counted from the task's creation: so at every
//! moment it is known without a record which are in force, and what an agent was last told is good for
//! three hours more, at least. Rule: developer guide, "Task IAM role"; agent-protocol 2.4; decision 0010.

use crate::instance::load;
use crate::records::cluster::cluster_arn;
use crate::records::container_instance::InstanceKey;
use crate::records::task::{TASKS, TaskRecord};
use crate::records::task_definition::{TASK_DEFINITIONS, TaskDefinitionKey};
use crate::rules::client;
use crate::task::reference;
use crate::task::status::{DesiredStatus, TaskStatus};
use crate::task::traffic;
use aws_api::agent::{IamRoleCredentials, IamRoleCredentialsMessage, Task};
use aws_types::{Arn, AwsError, Scope, Timestamp};
use iam::session::{RoleKind, RoleSession, SessionKey};
use std::time::Duration;
use store::World;

/// How often credentials are made anew.
const RENEWED_MS: i64 = 3 * 3600 * 1000;
/// How long they are good.
const LIFETIME: Duration = Duration::from_secs(6 * 3600);

/// The ARN of a role that a definition or an override names, by ARN or by name; `None` for one of
/// another account, which no task can take on.
#[must_use]
pub fn role_arn(scope: &Scope, given: &str) -> Option<String> {
    if !given.starts_with("arn:") {
        let (partition, account) = (&scope.partition, &scope.account);
        return Some(format!("arn:{partition}:iam::{account}:role/{given}"));
    }
    let arn: Arn = given.parse().ok()?;
    (arn.account == scope.account).then(|| given.to_owned())
}

/// Whether tasks can have these roles.
///
/// # Errors
/// `ClientException`.
pub fn check_roles(scope: &Scope, roles: [Option<&String>; 2]) -> Result<(), AwsError> {
    let is_own = |role: &&String| role_arn(scope, role).is_some();
    match roles.into_iter().flatten().all(|role| is_own(&role)) {
        true => Ok(()),
        false => Err(client("Role is not valid")),
    }
}

/// Puts a task's credentials into what its agent reads.
pub fn add(world: &World, record: &TaskRecord, task: &mut Task, key: &SessionKey, now: Timestamp) {
    if traffic::told(record) == DesiredStatus::Stopped {
        return;
    }
    for (kind, role) in roles(world, record) {
        let credentials = Some(credentials(record, kind, role, key, now));
        match kind {
            RoleKind::Application => task.role_credentials = credentials,
            RoleKind::Execution => task.execution_role_credentials = credentials,
        }
    }
}

/// What the agent of an instance has to be told, of tasks that it knows: all, or only what was made anew
/// since `from`. Messages have no id yet.
#[must_use]
pub fn renewed(
    world: &World,
    instance: &InstanceKey,
    key: &SessionKey,
    (from, now): (Option<Timestamp>, Timestamp),
) -> Vec<IamRoleCredentialsMessage> {
    let is_due = |task: &TaskRecord| {
        let is_known = task.delivery.acknowledged > 0 && task.last_status != TaskStatus::Stopped;
        let is_old = |from: Timestamp| generation(task, from) < generation(task, now);
        is_known && from.is_none_or(is_old)
    };
    let due = load::held(world, instance).filter(|task| is_due(task));
    let messages = due.flat_map(|record| {
        let one = |(kind, role): (RoleKind, String)| IamRoleCredentialsMessage {
            message_id: None,
            task_arn: Some(record.key.arn()),
            task_cluster_arn: Some(cluster_arn(&record.key.scope, &record.key.cluster)),
            role_type: Some(kind.name().into()),
            role_credentials: Some(credentials(record, kind, role, key, now)),
        };
        roles(world, record).into_iter().map(one)
    });
    messages.collect()
}

/// Whether credentials of this task are still good for something: it is there, and not STOPPED.
#[must_use]
pub fn is_alive(world: &World, task_arn: &str) -> bool {
    let scope = task_arn.parse::<Arn>().map(|arn| Scope {
        partition: arn.partition,
        account: arn.account,
        region: arn.region,
    });
    let key = scope
        .ok()
        .and_then(|scope| reference::task_arn(&scope, task_arn));
    let record = key.and_then(|key| world.get(&TASKS, &key));
    record.is_some_and(|task| task.last_status != TaskStatus::Stopped)
}

fn roles(world: &World, record: &TaskRecord) -> Vec<(RoleKind, String)> {
    let key = TaskDefinitionKey::new(&record.key.scope, &record.family, record.revision);
    let definition = world.get(&TASK_DEFINITIONS, &key);
    let definition = definition.map(|record| &record.definition);
    let (over, own) = (&record.overrides, definition);
    let application = over.task_role_arn.as_ref();
    let execution = over.execution_role_arn.as_ref();
    let named = [
        (
            RoleKind::Application,
            application.or_else(|| own?.task_role_arn.as_ref()),
        ),
        (
            RoleKind::Execution,
            execution.or_else(|| own?.execution_role_arn.as_ref()),
        ),
    ];
    let arn = |(kind, role): (RoleKind, Option<&String>)| {
        Some((kind, role_arn(&record.key.scope, role?)?))
    };
    named.into_iter().filter_map(arn).collect()
}

/// How often they were made anew by then.
fn generation(record: &TaskRecord, now: Timestamp) -> i64 {
    let age = now.millis().saturating_sub(record.times.created.millis());
    age.div_euclid(RENEWED_MS).max(0)
}

fn credentials(
    record: &TaskRecord,
    kind: RoleKind,
    role_arn: String,
    key: &SessionKey,
    now: Timestamp,
) -> IamRoleCredentials {
    let begun = record.times.created.millis() + generation(record, now) * RENEWED_MS;
    // STS counts whole seconds.
    let issued_at = Timestamp::from_millis(begun - begun.rem_euclid(1000));
    let session = RoleSession {
        kind,
        role_arn,
        task_arn: record.key.arn(),
        issued_at,
        expires_at: issued_at.plus(LIFETIME),
    };
    let made = key.credentials(&session);
    IamRoleCredentials {
        credentials_id: Some(key.credentials_id(kind, &session.task_arn)),
        role_arn: Some(session.role_arn),
        access_key_id: Some(made.access_key_id),
        secret_access_key: Some(made.secret),
        session_token: Some(made.session_token),
        expiration: Some(made.expiration),
        credential_scope: None,
    }
}
