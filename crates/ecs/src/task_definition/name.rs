//! How a task definition is named: `family`, `family:revision` or its ARN.
//!
//! `family` alone, also in an ARN, is its latest ACTIVE revision. Rule: API reference,
//! DescribeTaskDefinition and RunTask, `taskDefinition`.

use crate::records::{
    FAMILIES, FamilyKey, TASK_DEFINITIONS, TaskDefinitionKey, TaskDefinitionRecord,
};
use crate::rules::{client, invalid_parameter};
use aws_types::{Arn, AwsError, Scope};
use std::sync::Arc;
use store::World;

/// A name taken apart; it need not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The family.
    pub family: String,
    /// The revision as it was written, if any.
    pub revision: Option<String>,
}

/// Takes a name apart. `None` for an ARN that names nothing in `scope`.
#[must_use]
pub fn parse(scope: &Scope, text: &str) -> Option<Name> {
    let local = match text.parse::<Arn>() {
        Ok(arn) => {
            let here = arn.service == "ecs"
                && arn.partition == scope.partition
                && arn.region == scope.region
                && arn.account == scope.account;
            let name = arn.resource.strip_prefix("task-definition/")?.to_owned();
            here.then_some(name)?
        }
        Err(_) => text
            .strip_prefix("task-definition/")
            .unwrap_or(text)
            .to_owned(),
    };
    Some(match local.split_once(':') {
        Some((family, revision)) => Name {
            family: family.into(),
            revision: Some(revision.into()),
        },
        None => Name {
            family: local,
            revision: None,
        },
    })
}

/// The record of a name, in any status; `None` where there is none.
#[must_use]
pub fn find<'w>(
    world: &'w World,
    scope: &Scope,
    text: &str,
) -> Option<&'w Arc<TaskDefinitionRecord>> {
    let name = parse(scope, text)?;
    let revision = match &name.revision {
        Some(revision) => revision_number(revision)?,
        None => {
            world
                .get(&FAMILIES, &FamilyKey::new(scope, &name.family))?
                .latest_active?
        }
    };
    world.get(
        &TASK_DEFINITIONS,
        &TaskDefinitionKey::new(scope, &name.family, revision),
    )
}

/// The record that RunTask, StartTask and CreateService mean. It may be INACTIVE: the caller
/// decides.
///
/// # Errors
/// `ClientException` where there is none, or nothing was named.
pub fn resolve(
    world: &World,
    scope: &Scope,
    text: &str,
) -> Result<Arc<TaskDefinitionRecord>, AwsError> {
    if text.is_empty() {
        return Err(client("TaskDefinition can not be blank."));
    }
    find(world, scope, text)
        .cloned()
        .ok_or_else(|| client("TaskDefinition not found."))
}

/// The revision that DeregisterTaskDefinition and DeleteTaskDefinitions name: it must be given.
///
/// # Errors
/// `ClientException` where it is missing or does not exist, `InvalidParameterException` where it
/// is no number.
pub fn resolve_revision(
    world: &World,
    scope: &Scope,
    text: &str,
) -> Result<Arc<TaskDefinitionRecord>, AwsError> {
    let unknown = || {
        client(
            "The specified task definition does not exist. Specify a valid account, family, \
             revision and try again.",
        )
    };
    let name = parse(scope, text).ok_or_else(unknown)?;
    let revision = name
        .revision
        .ok_or_else(|| client("Revision is missing."))?;
    if revision_number(&revision).is_none() {
        return Err(invalid_parameter(format!(
            "Invalid revision number. Number: {revision}"
        )));
    }
    find(world, scope, text).cloned().ok_or_else(unknown)
}

fn revision_number(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|n| plain && *n > 0)
}
