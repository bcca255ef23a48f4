//! Sets of DHCP options.

use crate::dhcp::{AMAZON_PROVIDED, NAME_SERVERS_MAX};
use crate::errors::{has_dependencies, invalid_parameter, invalid_value, missing, required};
use crate::filter::Field;
use crate::records::ResourceKey;
use crate::records::dhcp::{DHCP_OPTIONS, DhcpOptionsRecord};
use crate::records::vpc::{VPCS, VpcRecord};
use crate::resource::{self, Kind, Query, Resource, lookup};
use crate::tags;
use aws_api::Empty;
use aws_api::ec2::{
    AssociateDhcpOptionsRequest, AttributeValue, CreateDhcpOptionsRequest, CreateDhcpOptionsResult,
    DeleteDhcpOptionsRequest, DescribeDhcpOptionsRequest, DescribeDhcpOptionsResult,
    DhcpConfiguration, DhcpOptions,
};
use aws_types::{AwsError, Ctx};
use std::collections::BTreeMap;
use std::net::IpAddr;
use store::{Table, Txn, World};

/// Rule: EC2 API reference, CreateDhcpOptions.
const OPTIONS: [&str; 6] = [
    "domain-name-servers",
    "domain-name",
    "ntp-servers",
    "netbios-name-servers",
    "netbios-node-type",
    "ipv6-address-preferred-lease-time",
];

impl Resource for DhcpOptionsRecord {
    const KIND: Kind = Kind {
        prefix: "dopt",
        name: "dhcp-options",
        noun: "dhcpOption ID",
        not_found: "InvalidDhcpOptionID.NotFound",
        malformed: "InvalidDhcpOptionsId.Malformed",
        parameter: "dhcpOptionsId",
    };
    fn table() -> &'static Table<ResourceKey, Self> {
        &DHCP_OPTIONS
    }
    fn fields() -> &'static [Field<Self>] {
        FIELDS
    }
    fn key(&self) -> &ResourceKey {
        &self.key
    }
}

/// Rule: EC2 API reference, DescribeDhcpOptions, `Filter.N`.
const FIELDS: &[Field<DhcpOptionsRecord>] = &[
    Field {
        name: "dhcp-options-id",
        values: |_, set| vec![set.key.id.clone()],
    },
    Field {
        name: "key",
        values: |_, set| set.options.keys().cloned().collect(),
    },
    Field {
        name: "owner-id",
        values: |_, set| vec![set.key.scope.account.clone()],
    },
    Field {
        name: "value",
        values: |_, set| set.options.values().flatten().cloned().collect(),
    },
];

/// CreateDhcpOptions.
pub fn create(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &CreateDhcpOptionsRequest,
) -> Result<CreateDhcpOptionsResult, AwsError> {
    let given = input.dhcp_configurations.as_ref();
    let given = given.filter(|given| !given.is_empty());
    let mut options = BTreeMap::new();
    for one in given.ok_or_else(|| missing("dhcpConfiguration"))? {
        let key = required(one.key.as_ref(), "dhcpConfiguration.key")?;
        if !OPTIONS.contains(&key) {
            return Err(invalid_parameter("key", key, "Unknown DHCP option."));
        }
        let values = one.values.clone().unwrap_or_default();
        if key == "domain-name-servers" {
            check_servers(&values)?;
        }
        options.insert(key.to_owned(), values);
    }
    let made = DhcpOptionsRecord {
        key: ResourceKey::fresh(ctx, "dopt"),
        options,
    };
    txn.put(&DHCP_OPTIONS, made.clone());
    let given = input.tag_specifications.as_ref();
    tags::create(txn, &made.key, DhcpOptionsRecord::KIND, given)?;
    Ok(CreateDhcpOptionsResult {
        dhcp_options: Some(shape(txn, &made)),
    })
}

/// Whom a task is to ask must be an address. Rule: EC2 API reference, CreateDhcpOptions.
fn check_servers(values: &[String]) -> Result<(), AwsError> {
    if values.len() > NAME_SERVERS_MAX {
        return Err(invalid_value(format!(
            "At most {NAME_SERVERS_MAX} domain name servers can be specified."
        )));
    }
    let is_server = |text: &String| text == AMAZON_PROVIDED || text.parse::<IpAddr>().is_ok();
    match values.iter().find(|text| !is_server(text)) {
        None => Ok(()),
        Some(other) => Err(invalid_parameter(
            "domain-name-servers",
            other,
            "Expecting an IP address or AmazonProvidedDNS.",
        )),
    }
}

/// DeleteDhcpOptions: of a set that no VPC has.
pub fn delete(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DeleteDhcpOptionsRequest,
) -> Result<Empty, AwsError> {
    let id = required(input.dhcp_options_id.as_ref(), "dhcpOptionsId")?;
    let key = lookup::<DhcpOptionsRecord>(txn, &ctx.scope, id)?
        .key
        .clone();
    let own = ResourceKey::prefix(&ctx.scope);
    let is_used = txn
        .scan_prefix(&VPCS, &own, None)
        .any(|(_, vpc)| vpc.dhcp_options == id);
    if is_used {
        return Err(has_dependencies("dhcpOptions", id));
    }
    txn.delete(&DHCP_OPTIONS, &key);
    tags::forget(txn, &key);
    Ok(Empty {})
}

/// AssociateDhcpOptions; `default` takes a VPC's set from it.
pub fn associate(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &AssociateDhcpOptionsRequest,
) -> Result<Empty, AwsError> {
    let id = required(input.dhcp_options_id.as_ref(), "dhcpOptionsId")?;
    let vpc = required(input.vpc_id.as_ref(), "vpcId")?;
    if id != "default" {
        lookup::<DhcpOptionsRecord>(txn, &ctx.scope, id)?;
    }
    let key = lookup::<VpcRecord>(txn, &ctx.scope, vpc)?.key.clone();
    txn.update(&VPCS, &key, |vpc| vpc.dhcp_options = id.into());
    Ok(Empty {})
}

/// DescribeDhcpOptions.
pub fn describe(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeDhcpOptionsRequest,
) -> Result<DescribeDhcpOptionsResult, AwsError> {
    let query = Query {
        ids: input.dhcp_options_ids.as_ref(),
        filters: input.filters.as_ref(),
        max_results: input.max_results,
        next_token: input.next_token.as_ref(),
    };
    let page = resource::describe::<DhcpOptionsRecord>(world, ctx, query)?;
    let shapes = page.items.iter().map(|set| shape(world, set));
    Ok(DescribeDhcpOptionsResult {
        dhcp_options: Some(shapes.collect()),
        next_token: page.next_token,
    })
}

fn shape(world: &World, set: &DhcpOptionsRecord) -> DhcpOptions {
    let options = set.options.iter().map(|(key, values)| DhcpConfiguration {
        key: Some(key.clone()),
        values: Some(
            values
                .iter()
                .map(|value| AttributeValue {
                    value: Some(value.clone()),
                })
                .collect(),
        ),
    });
    DhcpOptions {
        dhcp_configurations: Some(options.collect()),
        dhcp_options_id: Some(set.key.id.clone()),
        owner_id: Some(set.key.scope.account.clone()),
        tags: Some(tags::shape(world, &set.key)),
    }
}
