//! The namespace that a name or an ARN means, and the default one of a cluster.
//!
//! Rule: API reference, ClusterServiceConnectDefaultsRequest, ServiceConnectConfiguration `namespace`.

use crate::records::ClusterRecord;
use crate::rules::invalid_parameter;
use aws_api::ecs::{ClusterServiceConnectDefaultsRequest, errors};
use aws_types::{AwsError, Ctx, Scope};
use servicediscovery::managed;
use servicediscovery::records::NamespaceRecord;
use servicediscovery::resource;
use std::sync::Arc;
use store::{Txn, World};

/// API reference, `namespace`: characters.
const NAME_LEN_MAX: usize = 1024;

/// The namespace of this name or ARN.
///
/// # Errors
/// `NamespaceNotFoundException`.
pub fn require<'w>(
    world: &'w World,
    scope: &Scope,
    given: &str,
) -> Result<&'w Arc<NamespaceRecord>, AwsError> {
    let found = match given.starts_with("arn:") {
        true => resource::namespace(world, scope, given)
            .ok()
            .filter(|found| found.key.arn() == given),
        false => resource::namespace_named(world, scope, given),
    };
    found.ok_or_else(|| errors::NAMESPACE_NOT_FOUND_EXCEPTION.with("Namespace not found."))
}

/// Sets the default of a cluster; a name that no namespace has is given to a new one. An empty one removes
/// the default.
///
/// # Errors
/// `NamespaceNotFoundException` for an ARN; `InvalidParameterException` for a bad name.
pub fn set_default(
    txn: &mut Txn,
    ctx: &mut Ctx,
    cluster: &mut ClusterRecord,
    given: Option<&ClusterServiceConnectDefaultsRequest>,
) -> Result<(), AwsError> {
    let Some(given) = given else { return Ok(()) };
    let name = given.namespace.as_deref().unwrap_or_default();
    if name.is_empty() {
        cluster.service_connect_namespace = None;
        return Ok(());
    }
    let known = require(txn, &ctx.scope, name).map(|known| known.key.arn());
    cluster.service_connect_namespace = Some(match known {
        Ok(arn) => arn,
        Err(error) if name.starts_with("arn:") => return Err(error),
        Err(_) => {
            check_name(name)?;
            let made = managed::make_namespace(txn, ctx, name);
            made.map_err(|error| invalid_parameter(error.message()))?
                .arn()
        }
    });
    Ok(())
}

fn check_name(name: &str) -> Result<(), AwsError> {
    let is_bad = |c: char| matches!(c, '<' | '>' | '"' | '/') || c.is_whitespace();
    match name.chars().count() > NAME_LEN_MAX || name.contains(is_bad) {
        // Ours.
        true => Err(invalid_parameter(format!(
            "The namespace name can have up to {NAME_LEN_MAX} characters, and none of < > \" /."
        ))),
        false => Ok(()),
    }
}
