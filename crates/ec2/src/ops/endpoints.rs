//! VPC endpoints.

use super::endpoint_shape::{detail, shape};
use crate::endpoint::{self, services};
use crate::errors::{code, invalid_parameter, missing, refuse, required};
use crate::filter::{Field, fields};
use crate::interface::check_groups;
use crate::records::ResourceKey;
use crate::records::endpoint::{ENDPOINTS, EndpointRecord};
use crate::records::vpc::VpcRecord;
use crate::resource::{self, Kind, Query, Resource, lookup};
use crate::{page, tags, tokens};
use aws_api::ec2::{
    CreateVpcEndpointRequest, CreateVpcEndpointResult, DeleteVpcEndpointsRequest,
    DeleteVpcEndpointsResult, DescribeVpcEndpointServicesRequest,
    DescribeVpcEndpointServicesResult, DescribeVpcEndpointsRequest, DescribeVpcEndpointsResult,
    DnsOptionsSpecification, ModifyVpcEndpointRequest, ModifyVpcEndpointResult, UnsuccessfulItem,
    UnsuccessfulItemError,
};
use aws_types::{AwsError, Ctx};
use std::collections::{BTreeMap, BTreeSet};
use store::{Table, Txn, World};

/// The policy of an endpoint without one of its own.
const OPEN: &str = r#"{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#;

impl Resource for EndpointRecord {
    const KIND: Kind = Kind {
        prefix: "vpce",
        name: "vpc-endpoint",
        noun: "Vpc Endpoint Id",
        not_found: "InvalidVpcEndpointId.NotFound",
        malformed: "InvalidVpcEndpointId.Malformed",
        parameter: "vpcEndpointId",
    };
    fn table() -> &'static Table<ResourceKey, Self> {
        &ENDPOINTS
    }
    fn fields() -> &'static [Field<Self>] {
        FIELDS
    }
    fn key(&self) -> &ResourceKey {
        &self.key
    }
}

/// Rule: EC2 API reference, DescribeVpcEndpoints, `Filter.N`.
const FIELDS: &[Field<EndpointRecord>] = fields![
    "ip-address-type" => |_, _| ["ipv4".to_owned()],
    "service-name" => |_, endpoint| [endpoint.service.clone()],
    "service-region" => |_, endpoint| [endpoint.key.scope.region.clone()],
    "vpc-endpoint-id" => |_, endpoint| [endpoint.key.id.clone()],
    "vpc-endpoint-state" => |_, _| ["available".to_owned()],
    "vpc-endpoint-type" => |_, endpoint| [type_of(endpoint.is_gateway).to_owned()],
    "vpc-id" => |_, endpoint| [endpoint.vpc.clone()],
];

/// `VpcEndpointType`.
pub fn type_of(is_gateway: bool) -> &'static str {
    if is_gateway { "Gateway" } else { "Interface" }
}

/// CreateVpcEndpoint.
pub fn create(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &CreateVpcEndpointRequest,
) -> Result<CreateVpcEndpointResult, AwsError> {
    let ip = input.ip_address_type.as_deref();
    refuse(&[
        ("IpAddressType", ip.is_some_and(|ip| ip != "ipv4")),
        ("ServiceNetworkArn", input.service_network_arn.is_some()),
        (
            "ResourceConfigurationArn",
            input.resource_configuration_arn.is_some(),
        ),
        (
            "SubnetConfigurations",
            input.subnet_configurations.is_some(),
        ),
        ("ServiceRegion", input.service_region.is_some()),
        ("DnsOptions", !is_served(input.dns_options.as_ref())),
    ])?;
    let made = tokens::once(txn, ctx, input.client_token.as_ref(), input, |txn, ctx| {
        make(txn, ctx, input)
    })?;
    let mut shape = shape(txn, &made);
    if !made.is_gateway {
        shape.state = Some("pending".into());
    }
    Ok(CreateVpcEndpointResult {
        client_token: input.client_token.clone(),
        vpc_endpoint: Some(shape),
    })
}

fn make(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &CreateVpcEndpointRequest,
) -> Result<EndpointRecord, AwsError> {
    let vpc = required(input.vpc_id.as_ref(), "vpcId")?;
    lookup::<VpcRecord>(txn, &ctx.scope, vpc)?;
    let mut made = draft(ctx, vpc, input)?;
    let (tables, subnets) = (input.route_table_ids.as_ref(), input.subnet_ids.as_ref());
    let groups = input.security_group_ids.as_ref();
    check_kind(&made, [tables], [subnets, groups])?;
    if !made.is_gateway {
        let given = groups.cloned().unwrap_or_default();
        made.groups = check_groups(txn, &ctx.scope, vpc, &given)?;
    }
    for table in tables.into_iter().flatten() {
        endpoint::add_table(txn, &mut made, table)?;
    }
    for subnet in subnets.into_iter().flatten() {
        endpoint::add_subnet(txn, ctx, &mut made, subnet)?;
    }
    txn.put(&ENDPOINTS, made.clone());
    let given = input.tag_specifications.as_ref();
    tags::create(txn, &made.key, EndpointRecord::KIND, given)?;
    Ok(made)
}

/// Whether options of names ask for no more than every endpoint has: records of IPv4, for the whole VPC.
fn is_served(options: Option<&DnsOptionsSpecification>) -> bool {
    options.is_none_or(|options| {
        let kind = options.dns_record_ip_type.as_deref();
        kind.is_none_or(|kind| ["ipv4", "service-defined"].contains(&kind))
            && options.private_dns_only_for_inbound_resolver_endpoint != Some(true)
            && options.private_dns_preference.is_none()
            && options.private_dns_specified_domains.is_none()
    })
}

fn draft(
    ctx: &mut Ctx,
    vpc: &str,
    input: &CreateVpcEndpointRequest,
) -> Result<EndpointRecord, AwsError> {
    let kind = input.vpc_endpoint_type.as_deref();
    let is_unserved = |kind| ["GatewayLoadBalancer", "Resource", "ServiceNetwork"].contains(&kind);
    refuse(&[("VpcEndpointType", kind.is_some_and(is_unserved))])?;
    let service = required(input.service_name.as_ref(), "serviceName")?;
    let is_gateway = match input.vpc_endpoint_type.as_deref().unwrap_or("Gateway") {
        "Gateway" => true,
        "Interface" => false,
        other => {
            let why = "Expecting Gateway or Interface.";
            return Err(invalid_parameter("vpcEndpointType", other, why));
        }
    };
    let mut known = services(&ctx.scope).into_iter();
    if !known.any(|one| one == (service.to_owned(), is_gateway)) {
        return Err(code("InvalidServiceName").with(format!(
            "The Vpc Endpoint Service '{service}' does not exist"
        )));
    }
    Ok(EndpointRecord {
        key: ResourceKey::fresh(ctx, "vpce"),
        vpc: vpc.into(),
        service: service.into(),
        is_gateway,
        policy: input.policy_document.clone().unwrap_or_else(|| OPEN.into()),
        tables: BTreeSet::new(),
        subnets: BTreeMap::new(),
        groups: vec![],
        private_dns: !is_gateway && input.private_dns_enabled.unwrap_or(true),
        created: ctx.now,
    })
}

/// Route tables are of gateway endpoints, subnets and groups of interface ones.
fn check_kind<'a>(
    endpoint: &EndpointRecord,
    of_gateways: impl IntoIterator<Item = Option<&'a Vec<String>>>,
    of_interfaces: impl IntoIterator<Item = Option<&'a Vec<String>>>,
) -> Result<(), AwsError> {
    let is_given = |given: Option<&Vec<String>>| given.is_some_and(|given| !given.is_empty());
    let is_wrong = match endpoint.is_gateway {
        true => of_interfaces.into_iter().any(is_given),
        false => of_gateways.into_iter().any(is_given),
    };
    match (is_wrong, endpoint.is_gateway) {
        (false, _) => Ok(()),
        (true, true) => Err(code("InvalidParameter").with(
            "Subnets and security groups are only supported for Interface type VPC Endpoints.",
        )),
        (true, false) => Err(code("InvalidParameter")
            .with("Route table IDs are only supported for Gateway type VPC Endpoints.")),
    }
}

/// ModifyVpcEndpoint.
pub fn modify(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &ModifyVpcEndpointRequest,
) -> Result<ModifyVpcEndpointResult, AwsError> {
    let ip = input.ip_address_type.as_deref();
    refuse(&[
        ("IpAddressType", ip.is_some_and(|ip| ip != "ipv4")),
        (
            "SubnetConfigurations",
            input.subnet_configurations.is_some(),
        ),
        ("DnsOptions", !is_served(input.dns_options.as_ref())),
    ])?;
    let id = required(input.vpc_endpoint_id.as_ref(), "vpcEndpointId")?;
    let mut changed = lookup::<EndpointRecord>(txn, &ctx.scope, id)?
        .as_ref()
        .clone();
    check_kind(
        &changed,
        [
            input.add_route_table_ids.as_ref(),
            input.remove_route_table_ids.as_ref(),
        ],
        [
            input.add_subnet_ids.as_ref(),
            input.remove_subnet_ids.as_ref(),
            input.add_security_group_ids.as_ref(),
            input.remove_security_group_ids.as_ref(),
        ],
    )?;
    for table in input.remove_route_table_ids.iter().flatten() {
        endpoint::remove_table(txn, &mut changed, table);
    }
    for table in input.add_route_table_ids.iter().flatten() {
        endpoint::add_table(txn, &mut changed, table)?;
    }
    change_groups(txn, ctx, &mut changed, input)?;
    for subnet in input.remove_subnet_ids.iter().flatten() {
        endpoint::remove_subnet(txn, &mut changed, subnet);
    }
    for subnet in input.add_subnet_ids.iter().flatten() {
        endpoint::add_subnet(txn, ctx, &mut changed, subnet)?;
    }
    if input.reset_policy == Some(true) {
        changed.policy = OPEN.into();
    } else if let Some(policy) = &input.policy_document {
        changed.policy.clone_from(policy);
    }
    if let Some(private_dns) = input.private_dns_enabled {
        changed.private_dns = private_dns && !changed.is_gateway;
    }
    txn.put(&ENDPOINTS, changed);
    Ok(ModifyVpcEndpointResult {
        r#return: Some(true),
    })
}

fn change_groups(
    txn: &mut Txn,
    ctx: &Ctx,
    changed: &mut EndpointRecord,
    input: &ModifyVpcEndpointRequest,
) -> Result<(), AwsError> {
    let more = input.add_security_group_ids.clone().unwrap_or_default();
    let less = input.remove_security_group_ids.clone().unwrap_or_default();
    if more.is_empty() && less.is_empty() {
        return Ok(());
    }
    let mut groups = changed.groups.clone();
    groups.extend(more);
    groups.retain(|group| !less.contains(group));
    changed.groups = check_groups(txn, &ctx.scope, &changed.vpc, &groups)?;
    endpoint::spread_groups(txn, changed);
    Ok(())
}

/// DeleteVpcEndpoints: those that are there; the answer names the others.
pub fn delete(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DeleteVpcEndpointsRequest,
) -> Result<DeleteVpcEndpointsResult, AwsError> {
    let ids = input
        .vpc_endpoint_ids
        .as_ref()
        .filter(|ids| !ids.is_empty());
    let mut unsuccessful = Vec::new();
    for id in ids.ok_or_else(|| missing("vpcEndpointId"))? {
        match lookup::<EndpointRecord>(txn, &ctx.scope, id).cloned() {
            Ok(found) => endpoint::delete(txn, &found),
            Err(_) => unsuccessful.push(UnsuccessfulItem {
                error: Some(UnsuccessfulItemError {
                    code: Some("InvalidVpcEndpoint.NotFound".into()),
                    message: Some(format!("The Vpc Endpoint Id '{id}' does not exist")),
                }),
                resource_id: Some(id.clone()),
            }),
        }
    }
    Ok(DeleteVpcEndpointsResult {
        unsuccessful: Some(unsuccessful),
    })
}

/// DescribeVpcEndpoints.
pub fn describe(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeVpcEndpointsRequest,
) -> Result<DescribeVpcEndpointsResult, AwsError> {
    let query = Query {
        ids: input.vpc_endpoint_ids.as_ref(),
        filters: input.filters.as_ref(),
        max_results: input.max_results,
        next_token: input.next_token.as_ref(),
    };
    let page = resource::describe::<EndpointRecord>(world, ctx, query)?;
    let shapes = page.items.iter().map(|endpoint| shape(world, endpoint));
    Ok(DescribeVpcEndpointsResult {
        next_token: page.next_token,
        vpc_endpoints: Some(shapes.collect()),
    })
}

/// A service, with what filters ask of it. Rule: EC2 API reference, DescribeVpcEndpointServices, `Filter.N`.
const SERVICE_FIELDS: &[Field<(String, bool)>] = fields![
    "owner" => |_, _| ["amazon".to_owned()],
    "service-name" => |_, one| [one.0.clone()],
    "service-region" => |_, one| one.0.split('.').nth(2).map(String::from),
    "service-type" => |_, one| [type_of(one.1).to_owned()],
    "supported-ip-address-types" => |_, _| ["ipv4".to_owned()],
];

/// DescribeVpcEndpointServices.
pub fn describe_services(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeVpcEndpointServicesRequest,
) -> Result<DescribeVpcEndpointServicesResult, AwsError> {
    let filter = crate::filter::compile(input.filters.as_ref(), SERVICE_FIELDS)?;
    let mut all = services(&ctx.scope);
    all.sort();
    let names = input
        .service_names
        .as_ref()
        .filter(|names| !names.is_empty());
    for name in names.into_iter().flatten() {
        if !all.iter().any(|(known, _)| known == name) {
            return Err(code("InvalidServiceName")
                .with(format!("The Vpc Endpoint Service '{name}' does not exist")));
        }
    }
    let shown = all
        .into_iter()
        .filter(|(name, _)| names.is_none_or(|names| names.contains(name)))
        .filter(|one| filter.matches(world, one, BTreeMap::new))
        .map(|(name, is_gateway)| {
            let detail = detail(world, &ctx.scope, &name, is_gateway);
            (format!("{name} {is_gateway}"), (name, detail))
        });
    let page = page::page(shown, input.next_token.as_ref(), input.max_results)?;
    let (mut names, details): (Vec<_>, Vec<_>) = page.items.into_iter().unzip();
    names.dedup();
    Ok(DescribeVpcEndpointServicesResult {
        next_token: page.next_token,
        service_details: Some(details),
        service_names: Some(names),
    })
}
