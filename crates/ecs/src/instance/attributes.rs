//! Attributes that users put on an instance, beside those that its agent registers.
//!
//! Both stand in the record's one list, which placement reads. What a user put stays when the agent
//! registers again; where both name an attribute, the agent's value comes back with the agent,
//! since it exits for good when one that it sent is answered differently.
//! Rule: API reference, PutAttributes, DeleteAttributes.

use super::life;
use crate::records::container_instance::{
    AttributeRecord, CONTAINER_INSTANCES, ContainerInstanceRecord, InstanceKey, InstanceStatus,
};
use crate::rules::attributes as rules;
use crate::rules::invalid_parameter;
use crate::task::reference;
use aws_api::ecs::{Attribute, errors};
use aws_types::{AwsError, Scope};
use iam::Ask;
use store::{Txn, World};

/// The instance that an attribute of a request names: by ARN, or by id together with the type.
///
/// # Errors
/// `InvalidParameterException` without an id or a short one's type; `TargetNotFoundException` for
/// an instance that is not registered in this cluster.
pub fn target(
    world: &World,
    scope: &Scope,
    cluster: &str,
    given: &Attribute,
) -> Result<InstanceKey, AwsError> {
    let kind = given.target_type.as_deref();
    rules::check_target_type(kind)?;
    let id = given.target_id.as_deref().unwrap_or_default();
    if id.is_empty() {
        return Err(invalid_parameter("targetId can not be empty."));
    }
    if kind.is_none() && !id.starts_with("arn:") {
        return Err(invalid_parameter(
            "targetType can not be empty when targetId is not an ARN.",
        ));
    }
    let key = reference::instance(scope, cluster, id);
    let registered = |key: &InstanceKey| {
        let instance = world.get(&CONTAINER_INSTANCES, key);
        instance.is_some_and(|instance| instance.status != InstanceStatus::Inactive)
    };
    key.filter(registered)
        .ok_or_else(|| errors::TARGET_NOT_FOUND_EXCEPTION.with(format!("Could not find {id}")))
}

/// What a caller needs to change attributes: `action` on each instance that they name.
#[must_use]
pub fn asks(action: &str, scope: &Scope, cluster: &str, given: Option<&[Attribute]>) -> Vec<Ask> {
    let targets = given.into_iter().flatten();
    let asks: Vec<_> = targets
        .filter_map(|attribute| attribute.target_id.as_deref())
        .map(|id| {
            let arn = reference::shown_arn(scope, cluster, rules::CONTAINER_INSTANCE, id);
            Ask::new(action, arn)
        })
        .collect();
    match asks.is_empty() {
        true => vec![Ask::any(action)],
        false => asks,
    }
}

/// Sets one attribute, replacing its value.
///
/// # Errors
/// `AttributeLimitExceededException`.
pub fn put(
    txn: &mut Txn,
    key: &InstanceKey,
    name: &str,
    value: Option<&str>,
) -> Result<(), AwsError> {
    let record = txn.get(&CONTAINER_INSTANCES, key);
    let custom = record.map_or(0, |record| {
        let others = record.attributes.iter().filter(|a| a.name != name);
        others.filter(|a| rules::is_custom(&a.name)).count()
    });
    if custom >= rules::CUSTOM_MAX {
        return Err(errors::ATTRIBUTE_LIMIT_EXCEEDED_EXCEPTION.with(format!(
            "A resource can have at most {} custom attributes.",
            rules::CUSTOM_MAX
        )));
    }
    life::change(txn, key, |instance| {
        let value = value.map(Into::into);
        let known = instance.attributes.iter_mut().find(|a| a.name == name);
        match known {
            Some(known) => known.value = value,
            None => instance.attributes.push(AttributeRecord {
                name: name.into(),
                value,
            }),
        }
        instance.put_attributes.insert(name.into());
    });
    Ok(())
}

/// Removes one attribute; gives it as it was, `None` where there was none.
pub fn delete(txn: &mut Txn, key: &InstanceKey, name: &str) -> Option<AttributeRecord> {
    let record = txn.get(&CONTAINER_INSTANCES, key)?;
    let found = record.attributes.iter().find(|a| a.name == name)?.clone();
    life::change(txn, key, |instance| {
        instance.attributes.retain(|a| a.name != name);
        instance.put_attributes.remove(name);
    });
    Some(found)
}

/// The attributes after a registration anew: those that the agent sends, and those that users put
/// under other names.
#[must_use]
pub fn after_registration(
    earlier: &ContainerInstanceRecord,
    mut sent: Vec<AttributeRecord>,
) -> Vec<AttributeRecord> {
    let is_sent = |name: &str| sent.iter().any(|attribute| attribute.name == name);
    let put = earlier.attributes.iter().filter(|attribute| {
        earlier.put_attributes.contains(&attribute.name) && !is_sent(&attribute.name)
    });
    let kept: Vec<_> = put.cloned().collect();
    sent.extend(kept);
    sent
}

/// An attribute of an instance as PutAttributes, DeleteAttributes and ListAttributes answer it.
#[must_use]
pub fn shape(key: &InstanceKey, name: &str, value: Option<&str>) -> Attribute {
    Attribute {
        name: Some(name.into()),
        value: value.map(Into::into),
        target_type: None,
        target_id: Some(key.arn()),
    }
}
