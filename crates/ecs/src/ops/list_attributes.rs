//! ListAttributes: one entry for each attribute of each container instance of a cluster, by page,
//! in order of instance and name.
//!
//! Rule: API reference, ListAttributes.

use crate::cluster;
use crate::instance::attributes;
use crate::page::Request;
use crate::records::cluster::cluster_arn;
use crate::records::container_instance::{
    AttributeRecord, CONTAINER_INSTANCES, ContainerInstanceRecord, InstanceKey, InstanceStatus,
};
use crate::rules::attributes as rules;
use crate::rules::invalid_parameter;
use aws_api::ecs::{ListAttributesRequest, ListAttributesResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Key, TableKey, World};

/// API reference, ListAttributes, `maxResults`: the default and the most.
const PAGE_LEN: usize = 100;

/// `ecs:ListAttributes` on the cluster.
#[must_use]
pub fn authorisation(input: &ListAttributesRequest, _world: &World, ctx: &Ctx) -> Vec<Ask> {
    let cluster = cluster::name_of(&ctx.scope, input.cluster.as_deref()).unwrap_or_default();
    let arn = cluster_arn(&ctx.scope, &cluster);
    vec![Ask::new("ecs:ListAttributes", arn)]
}

/// The operation.
///
/// # Errors
/// `ClusterNotFoundException`, `InvalidParameterException`.
pub fn list_attributes(
    world: &World,
    ctx: &mut Ctx,
    input: &ListAttributesRequest,
) -> Result<ListAttributesResponse, AwsError> {
    let (name, value) = filters(input)?;
    let cluster = cluster::require(world, &ctx.scope, input.cluster.as_deref())?;
    let listing = [
        "ListAttributes".into(),
        ctx.scope.account.clone(),
        ctx.scope.region.clone(),
        cluster.name.clone(),
        format!("{name:?}"),
        format!("{value:?}"),
    ];
    let request = Request::read(
        &listing.each_ref().map(String::as_str),
        input.next_token.as_deref(),
        input.max_results,
        PAGE_LEN,
        PAGE_LEN,
    )?;
    let prefix = cluster.key().encode();
    let instances = world.scan_prefix(&CONTAINER_INSTANCES, &prefix, None);
    let registered = instances.filter(|(_, i)| i.status != InstanceStatus::Inactive);
    let rows = registered.flat_map(|(_, instance)| {
        let shows = |attribute: &&AttributeRecord| {
            name.is_none_or(|name| attribute.name == name)
                && value.is_none_or(|value| attribute.value.as_deref() == Some(value))
        };
        let mut shown: Vec<_> = instance.attributes.iter().filter(shows).collect();
        shown.sort_by(|a, b| a.name.cmp(&b.name));
        shown.into_iter().map(move |a| row(instance, a))
    });
    let after = request.after.as_ref();
    let page = request.page(rows.filter(|(key, _)| after.is_none_or(|after| key > after)));
    Ok(ListAttributesResponse {
        attributes: Some(page.items),
        next_token: page.next_token,
    })
}

/// `attributeName` and `attributeValue`.
fn filters(input: &ListAttributesRequest) -> Result<(Option<&str>, Option<&str>), AwsError> {
    if input.target_type.is_none() {
        return Err(invalid_parameter("targetType can not be empty."));
    }
    rules::check_target_type(input.target_type.as_deref())?;
    let name = input.attribute_name.as_deref();
    let value = input.attribute_value.as_deref();
    match (name, value) {
        (None, Some(_)) => Err(invalid_parameter(
            "attributeName must be specified when attributeValue is.",
        )),
        _ => Ok((name, value)),
    }
}

fn row(
    instance: &ContainerInstanceRecord,
    attribute: &AttributeRecord,
) -> (Key, aws_api::ecs::Attribute) {
    let InstanceKey { scope, cluster, id } = &instance.key;
    let place = [
        &scope.account,
        &scope.region,
        cluster,
        &id.0,
        &attribute.name,
    ];
    let shown = attributes::shape(&instance.key, &attribute.name, attribute.value.as_deref());
    (Key::of(&place.map(String::as_str)), shown)
}
