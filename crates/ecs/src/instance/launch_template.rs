//! The instance type of a machine that is of a launch template.
//!
//! Its owner says so by the attribute `longshore.launch-template`, `TEMPLATE` or `TEMPLATE:VERSION`. The
//! version is looked up when the machine registers, and its type is the instance's from then on: as an
//! instance of EC2, it keeps what it was launched with whatever becomes of the template. Another text in
//! the attribute is looked up anew.
//! Rule: EC2 user guide, "Launch instances from a launch template" (the default version where none is named).

use super::interfaces::{INSTANCE_TYPE, MAX_INTERFACES, limits};
use crate::fargate;
use crate::records::container_instance::{AttributeRecord, ContainerInstanceRecord};
use crate::rules::invalid_parameter;
use aws_types::{AwsError, Ctx};
use ec2::launch_template::Reference;
use store::World;

/// The attribute, ours, that names a machine's launch template.
pub const LAUNCH_TEMPLATE: &str = "longshore.launch-template";

/// Adds the type of the launch template that a registration's attributes name, if they name one.
///
/// # Errors
/// `InvalidParameterException` for a template or version that is not there, one without an instance type
/// or with one whose interfaces are not known, and beside a type that the machine itself names.
pub fn add_type(
    world: &World,
    ctx: &Ctx,
    cluster: &str,
    earlier: Option<&ContainerInstanceRecord>,
    attributes: &mut Vec<AttributeRecord>,
) -> Result<(), AwsError> {
    let find = |name: &str| attributes.iter().find(|attribute| attribute.name == name);
    let Some(attribute) = find(LAUNCH_TEMPLATE).filter(|_| cluster != fargate::CLUSTER) else {
        return Ok(());
    };
    let text = attribute.value.as_deref().unwrap_or_default();
    let refused = |why: &str| {
        Err(invalid_parameter(format!(
            "This machine cannot be of launch template {text:?}: {why}"
        )))
    };
    if find(INSTANCE_TYPE).is_some() {
        return refused("it registers an instance type of its own.");
    }
    let kept = earlier.filter(|earlier| earlier.attribute(LAUNCH_TEMPLATE).flatten() == Some(text));
    let kept = kept.and_then(|earlier| earlier.attribute(INSTANCE_TYPE).flatten());
    let found = match kept {
        Some(kept) => kept.to_owned(),
        None => {
            let read = Reference::parse(text);
            let version = match read.and_then(|read| read.find(world, &ctx.scope).cloned()) {
                Ok(version) => version,
                Err(error) => return refused(error.message()),
            };
            let number = version.key.number;
            match version.data.instance_type.clone() {
                Some(found) => found,
                None => return refused(&format!("its version {number} names no instance type.")),
            }
        }
    };
    if limits(&found).is_none() && find(MAX_INTERFACES).is_none() {
        return refused(&format!(
            "how many network interfaces its instance type {found} has is not known here; say max_interfaces too."
        ));
    }
    attributes.push(AttributeRecord {
        name: INSTANCE_TYPE.into(),
        value: Some(found),
    });
    Ok(())
}
