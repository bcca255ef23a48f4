//! Targets that the operator declared, found by the ARN that a request gives.
//!
//! Nothing else that comes through the API is ever called: a hook whose target is undeclared is
//! refused. Rule: issue "Services", "a hookTargetArn names a target that the operator declared".

use crate::records::target::{TARGETS, TargetRecord};
use crate::rules::invalid_parameter;
use aws_api::ecs::DeploymentConfiguration;
use aws_types::{AwsError, Scope};
use std::sync::Arc;
use store::{Key, Txn, World};

/// Makes these the targets. Called once at every start.
pub fn set(txn: &mut Txn, targets: Vec<TargetRecord>) {
    let gone: Vec<Key> = txn
        .scan(&TARGETS)
        .filter(|row| !targets.iter().any(|target| target.name == row.name))
        .map(|row| Key::of(&[&row.name]))
        .collect();
    for key in gone {
        txn.delete(&TARGETS, &key);
    }
    for target in targets {
        let key = Key::of(&[&target.name]);
        if txn.get(&TARGETS, &key).map(AsRef::as_ref) != Some(&target) {
            txn.put(&TARGETS, target);
        }
    }
}

/// The target that `arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME` names.
#[must_use]
pub fn function<'w>(world: &'w World, scope: &Scope, arn: &str) -> Option<&'w Arc<TargetRecord>> {
    let name = function_name(scope, arn)?;
    world.get(&TARGETS, &Key::of(&[name]))
}

fn function_name<'a>(scope: &Scope, arn: &'a str) -> Option<&'a str> {
    let prefix = scope.arn("lambda", "function:").to_string();
    arn.strip_prefix(&prefix).filter(|name| !name.is_empty())
}

/// Whether the target of every hook is declared.
///
/// # Errors
/// `InvalidParameterException`, naming the target.
pub fn check_hooks(
    world: &World,
    scope: &Scope,
    given: Option<&DeploymentConfiguration>,
) -> Result<(), AwsError> {
    let hooks = given.and_then(|given| given.lifecycle_hooks.as_ref());
    for arn in hooks
        .into_iter()
        .flatten()
        .filter_map(|hook| hook.hook_target_arn.as_deref())
    {
        let Some(name) = function_name(scope, arn) else {
            let form = scope.arn("lambda", "function:NAME");
            return Err(invalid_parameter(format!(
                "Invalid hookTargetArn '{arn}': expected {form}."
            )));
        };
        if function(world, scope, arn).is_none() {
            return Err(invalid_parameter(format!(
                "The lifecycle hook target '{name}' is not declared: the server's longshore.toml \
                 has no [[target]] of this name."
            )));
        }
    }
    Ok(())
}
