//! Tags of whatever has an id.

use crate::errors::{code, missing};
use crate::filter::{self, Field};
use crate::page::page;
use crate::records::ResourceKey;
use crate::records::acl::ACLS;
use crate::records::address::ALLOCATIONS;
use crate::records::dhcp::DHCP_OPTIONS;
use crate::records::endpoint::ENDPOINTS;
use crate::records::gateway::{EGRESS_ONLY_GATEWAYS, INTERNET_GATEWAYS};
use crate::records::group::{GROUPS, RULES};
use crate::records::interface::INTERFACES;
use crate::records::launch_template::LAUNCH_TEMPLATES;
use crate::records::nat::NAT_GATEWAYS;
use crate::records::prefix_list::PREFIX_LISTS;
use crate::records::route::ROUTE_TABLES;
use crate::records::subnet::SUBNETS;
use crate::records::tag::{TAGS, TagRecord};
use crate::records::vpc::VPCS;
use crate::tags;
use aws_api::Empty;
use aws_api::ec2::{
    CreateTagsRequest, DeleteTagsRequest, DescribeTagsRequest, DescribeTagsResult, TagDescription,
};
use aws_types::{AwsError, Ctx};
use std::collections::BTreeMap;
use store::{Txn, World};

/// Resources of one call. Rule: EC2 API reference, CreateTags.
const RESOURCES_MAX: usize = 1000;

/// CreateTags.
pub fn create(txn: &mut Txn, ctx: &mut Ctx, input: &CreateTagsRequest) -> Result<Empty, AwsError> {
    let given = input.tags.as_ref().filter(|tags| !tags.is_empty());
    let given = given.ok_or_else(|| missing("tag"))?;
    for key in resources(txn, ctx, input.resources.as_ref())? {
        tags::put_all(txn, &key, given)?;
    }
    Ok(Empty {})
}

/// DeleteTags: those named, whose values are equal where values are given; all without any.
pub fn delete(txn: &mut Txn, ctx: &mut Ctx, input: &DeleteTagsRequest) -> Result<Empty, AwsError> {
    for key in resources(txn, ctx, input.resources.as_ref())? {
        match input.tags.as_ref().filter(|tags| !tags.is_empty()) {
            Some(given) => {
                for tag in given {
                    let name = tag.key.as_deref().unwrap_or_default();
                    tags::take(txn, &key, name, tag.value.as_deref());
                }
            }
            None => {
                for name in tags::of(txn, &key).into_keys() {
                    if !name.starts_with("aws:") {
                        tags::take(txn, &key, &name, None);
                    }
                }
            }
        }
    }
    Ok(Empty {})
}

fn resources(
    world: &World,
    ctx: &Ctx,
    ids: Option<&Vec<String>>,
) -> Result<Vec<ResourceKey>, AwsError> {
    let ids = ids.filter(|ids| !ids.is_empty());
    let ids = ids.ok_or_else(|| missing("resourceId"))?;
    if ids.len() > RESOURCES_MAX {
        return Err(crate::errors::invalid_value(format!(
            "The maximum number of resources in one request is {RESOURCES_MAX}."
        )));
    }
    let mut keys = Vec::new();
    for id in ids {
        let key = ResourceKey::new(&ctx.scope, id);
        if !exists(world, &key) {
            return Err(code("InvalidID").with(format!("The ID '{id}' is not valid")));
        }
        keys.push(key);
    }
    Ok(keys)
}

fn exists(world: &World, key: &ResourceKey) -> bool {
    match tags::kind_of(&key.id) {
        Some("vpc") => world.get(&VPCS, key).is_some(),
        Some("subnet") => world.get(&SUBNETS, key).is_some(),
        Some("security-group") => world.get(&GROUPS, key).is_some(),
        Some("security-group-rule") => world.get(&RULES, key).is_some(),
        Some("network-interface") => world.get(&INTERFACES, key).is_some(),
        Some("route-table") => world.get(&ROUTE_TABLES, key).is_some(),
        Some("internet-gateway") => world.get(&INTERNET_GATEWAYS, key).is_some(),
        Some("egress-only-internet-gateway") => world.get(&EGRESS_ONLY_GATEWAYS, key).is_some(),
        Some("network-acl") => world.get(&ACLS, key).is_some(),
        Some("dhcp-options") => world.get(&DHCP_OPTIONS, key).is_some(),
        Some("natgateway") => world.get(&NAT_GATEWAYS, key).is_some(),
        Some("prefix-list") => world.get(&PREFIX_LISTS, key).is_some(),
        Some("launch-template") => world.get(&LAUNCH_TEMPLATES, key).is_some(),
        Some("vpc-endpoint") => world.get(&ENDPOINTS, key).is_some(),
        Some("elastic-ip") => world.get(&ALLOCATIONS, key).is_some(),
        _ => false,
    }
}

/// Rule: EC2 API reference, DescribeTags, `Filter.N`.
const FIELDS: &[Field<TagRecord>] = &[
    Field {
        name: "key",
        values: |_, tag| vec![tag.key.key.clone()],
    },
    Field {
        name: "resource-id",
        values: |_, tag| vec![tag.key.resource.id.clone()],
    },
    Field {
        name: "resource-type",
        values: |_, tag| {
            tags::kind_of(&tag.key.resource.id)
                .into_iter()
                .map(String::from)
                .collect()
        },
    },
    Field {
        name: "value",
        values: |_, tag| vec![tag.value.clone()],
    },
];

/// DescribeTags.
pub fn describe(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeTagsRequest,
) -> Result<DescribeTagsResult, AwsError> {
    let filter = filter::compile(input.filters.as_ref(), FIELDS)?;
    let prefix = ResourceKey::prefix(&ctx.scope);
    let all = world.scan_prefix(&TAGS, &prefix, None);
    let own = |tag: &TagRecord| BTreeMap::from([(tag.key.key.clone(), tag.value.clone())]);
    let all = all
        .map(|(_, tag)| tag)
        .filter(|tag| filter.matches(world, tag.as_ref(), || own(tag)))
        .map(|tag| {
            (
                format!("{}\0{}", tag.key.resource.id, tag.key.key),
                shape(tag),
            )
        });
    let page = page(all, input.next_token.as_ref(), input.max_results)?;
    Ok(DescribeTagsResult {
        tags: Some(page.items),
        next_token: page.next_token,
    })
}

fn shape(tag: &TagRecord) -> TagDescription {
    TagDescription {
        key: Some(tag.key.key.clone()),
        resource_id: Some(tag.key.resource.id.clone()),
        resource_type: tags::kind_of(&tag.key.resource.id).map(String::from),
        value: Some(tag.value.clone()),
    }
}
