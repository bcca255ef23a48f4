//! Routes of a table.
//!
//! Rule: EC2 API reference, CreateRoute; VPC user guide, "Route tables".

use crate::errors::{code, invalid_combination, invalid_value, missing, refuse, required};
use crate::records::endpoint::ENDPOINTS;
use crate::records::gateway::{
    EGRESS_ONLY_GATEWAYS, EgressOnlyGatewayRecord, INTERNET_GATEWAYS, InternetGatewayRecord,
};
use crate::records::interface::{INTERFACES, InterfaceRecord};
use crate::records::nat::{NAT_GATEWAYS, NatGatewayRecord};
use crate::records::route::{ROUTE_TABLES, RouteRecord, RouteTableRecord, To, Via};
use crate::records::vpc::VPCS;
use crate::resource::lookup;
use crate::{cidr, prefix_list};
use aws_api::Empty;
use aws_api::ec2::{
    CreateRouteRequest, CreateRouteResult, DeleteRouteRequest, ReplaceRouteRequest, Route,
};
use aws_types::{AwsError, Ctx, Scope};
use ipnet::IpNet;
use store::{Txn, World};

/// Routes of a table. Rule: quotas of Amazon VPC.
const ROUTES_MAX: usize = 500;

/// Where to, of the three members of which one is to be given.
fn destination(
    ipv4: Option<&String>,
    ipv6: Option<&String>,
    list: Option<&String>,
) -> Result<To, AwsError> {
    match (ipv4, ipv6, list) {
        (Some(net), None, None) => Ok(To::Ipv4(cidr::ipv4(net, "destinationCidrBlock")?)),
        (None, Some(net), None) => Ok(To::Ipv6(cidr::ipv6(net, "destinationIpv6CidrBlock")?)),
        (None, None, Some(id)) => Ok(To::PrefixList(id.clone())),
        (None, None, None) => Err(missing("destinationCidrBlock")),
        _ => Err(invalid_combination(
            "Exactly one destination must be specified.",
        )),
    }
}

macro_rules! given_target {
    ($input:ident) => {{
        refuse(&[
            ("VpcEndpointId", $input.vpc_endpoint_id.is_some()),
            ("TransitGatewayId", $input.transit_gateway_id.is_some()),
            ("LocalGatewayId", $input.local_gateway_id.is_some()),
            ("CarrierGatewayId", $input.carrier_gateway_id.is_some()),
            ("CoreNetworkArn", $input.core_network_arn.is_some()),
            ("OdbNetworkArn", $input.odb_network_arn.is_some()),
            ("InstanceId", $input.instance_id.is_some()),
            (
                "VpcPeeringConnectionId",
                $input.vpc_peering_connection_id.is_some(),
            ),
        ])?;
        [
            $input
                .gateway_id
                .as_ref()
                .map(|id| Via::InternetGateway(id.clone())),
            $input
                .egress_only_internet_gateway_id
                .as_ref()
                .map(|id| Via::EgressOnlyGateway(id.clone())),
            $input
                .nat_gateway_id
                .as_ref()
                .map(|id| Via::NatGateway(id.clone())),
            $input
                .network_interface_id
                .as_ref()
                .map(|id| Via::Interface(id.clone())),
        ]
    }};
}

/// The one target of a request, if it is there and of the table's VPC.
fn target(
    world: &World,
    scope: &Scope,
    table: &RouteTableRecord,
    to: &To,
    given: [Option<Via>; 4],
) -> Result<Via, AwsError> {
    let mut given = given.into_iter().flatten();
    let via = given.next().ok_or_else(|| missing("gatewayId"))?;
    if given.next().is_some() {
        return Err(invalid_combination("Exactly one target must be specified."));
    }
    let is_here = match &via {
        // Of the gateways that this parameter names, AWS has another kind.
        Via::InternetGateway(id) if id.starts_with("vgw-") => {
            return Err(code("InvalidGatewayID.NotFound")
                .with(format!("The gateway ID '{id}' does not exist")));
        }
        Via::InternetGateway(id) => {
            lookup::<InternetGatewayRecord>(world, scope, id)?
                .vpc
                .as_ref()
                == Some(&table.vpc)
        }
        Via::EgressOnlyGateway(id) => {
            check_family(to, false)?;
            lookup::<EgressOnlyGatewayRecord>(world, scope, id)?.vpc == table.vpc
        }
        Via::Interface(id) => lookup::<InterfaceRecord>(world, scope, id)?.vpc == table.vpc,
        Via::NatGateway(id) => {
            check_family(to, true)?;
            let found = lookup::<NatGatewayRecord>(world, scope, id).ok();
            let found = found.filter(|nat| nat.is_available()).ok_or_else(|| {
                code("InvalidNatGatewayID.NotFound")
                    .with(format!("The natGateway ID '{id}' does not exist"))
            })?;
            found.vpc == table.vpc
        }
        // Endpoints make their routes themselves.
        Via::Endpoint(_) => false,
    };
    match is_here {
        true => Ok(via),
        false => Err(invalid_value(format!(
            "route table {} and network gateway {} belong to different networks",
            table.key.id,
            id_of(&via)
        ))),
    }
}

/// Gateways that translate are of IPv4, egress-only ones of IPv6.
/// Rule: VPC user guide, "Example routing options".
fn check_family(to: &To, is_ipv4: bool) -> Result<(), AwsError> {
    match to {
        To::PrefixList(_) => Ok(()),
        To::Ipv4(_) if is_ipv4 => Ok(()),
        To::Ipv6(_) if !is_ipv4 => Ok(()),
        To::Ipv4(_) | To::Ipv6(_) => Err(invalid_value(format!(
            "The destination {} cannot be reached by a gateway of this type.",
            text(to)
        ))),
    }
}

fn id_of(via: &Via) -> &str {
    match via {
        Via::InternetGateway(id)
        | Via::EgressOnlyGateway(id)
        | Via::NatGateway(id)
        | Via::Interface(id)
        | Via::Endpoint(id) => id,
    }
}

/// A route within the VPC's own ranges would lead around the routes that every table has.
fn check_not_local(world: &World, table: &RouteTableRecord, to: &To) -> Result<(), AwsError> {
    let Some(vpc) = world.get(&VPCS, &table.key.beside(&table.vpc)) else {
        return Ok(());
    };
    let is_local = match to {
        To::Ipv4(net) => vpc.cidrs.iter().any(|range| range.cidr.contains(net)),
        To::Ipv6(net) => vpc.ipv6.iter().any(|range| range.cidr.contains(net)),
        To::PrefixList(_) => false,
    };
    match is_local {
        false => Ok(()),
        true => Err(invalid_value(format!(
            "The destination CIDR block {} is equal to or more specific than one of this VPC's \
             CIDR blocks. This route can target only an interface or an instance.",
            text(to)
        ))),
    }
}

fn text(to: &To) -> String {
    match to {
        To::Ipv4(net) => net.to_string(),
        To::Ipv6(net) => net.to_string(),
        To::PrefixList(id) => id.clone(),
    }
}

/// CreateRoute.
pub fn create(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &CreateRouteRequest,
) -> Result<CreateRouteResult, AwsError> {
    let id = required(input.route_table_id.as_ref(), "routeTableId")?;
    let table = lookup::<RouteTableRecord>(txn, &ctx.scope, id)?.clone();
    let to = destination(
        input.destination_cidr_block.as_ref(),
        input.destination_ipv6_cidr_block.as_ref(),
        input.destination_prefix_list_id.as_ref(),
    )?;
    let via = target(txn, &ctx.scope, &table, &to, given_target!(input))?;
    check_not_local(txn, &table, &to)?;
    if let To::PrefixList(list) = &to {
        prefix_list::require(txn, &ctx.scope, list)?;
    }
    if table.routes.iter().any(|route| route.to == to) {
        return Err(code("RouteAlreadyExists").with(format!(
            "The route identified by {} already exists.",
            text(&to)
        )));
    }
    if table.routes.len() >= ROUTES_MAX {
        return Err(
            code("RouteLimitExceeded").with("The maximum number of routes has been reached.")
        );
    }
    txn.update(&ROUTE_TABLES, &table.key, |table| {
        table.routes.push(RouteRecord { to, via });
    });
    Ok(CreateRouteResult {
        r#return: Some(true),
    })
}

/// ReplaceRoute.
pub fn replace(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &ReplaceRouteRequest,
) -> Result<Empty, AwsError> {
    refuse(&[("LocalTarget", input.local_target == Some(true))])?;
    let id = required(input.route_table_id.as_ref(), "routeTableId")?;
    let table = lookup::<RouteTableRecord>(txn, &ctx.scope, id)?.clone();
    let to = destination(
        input.destination_cidr_block.as_ref(),
        input.destination_ipv6_cidr_block.as_ref(),
        input.destination_prefix_list_id.as_ref(),
    )?;
    let via = target(txn, &ctx.scope, &table, &to, given_target!(input))?;
    check_present(&table, &to)?;
    check_is_users(&table, &to)?;
    txn.update(&ROUTE_TABLES, &table.key, |table| {
        for route in table.routes.iter_mut().filter(|route| route.to == to) {
            route.via = via.clone();
        }
    });
    Ok(Empty {})
}

/// DeleteRoute.
pub fn delete(txn: &mut Txn, ctx: &mut Ctx, input: &DeleteRouteRequest) -> Result<Empty, AwsError> {
    let id = required(input.route_table_id.as_ref(), "routeTableId")?;
    let table = lookup::<RouteTableRecord>(txn, &ctx.scope, id)?.clone();
    let to = destination(
        input.destination_cidr_block.as_ref(),
        input.destination_ipv6_cidr_block.as_ref(),
        input.destination_prefix_list_id.as_ref(),
    )?;
    check_present(&table, &to)?;
    check_is_users(&table, &to)?;
    txn.update(&ROUTE_TABLES, &table.key, |table| {
        table.routes.retain(|route| route.to != to);
    });
    Ok(Empty {})
}

fn check_present(table: &RouteTableRecord, to: &To) -> Result<(), AwsError> {
    match table.routes.iter().any(|route| route.to == *to) {
        true => Ok(()),
        false => Err(code("InvalidRoute.NotFound").with(format!(
            "no route with destination-cidr-block {} in route table {}",
            text(to),
            table.key.id
        ))),
    }
}

/// What an endpoint put into a table goes with the endpoint alone.
fn check_is_users(table: &RouteTableRecord, to: &To) -> Result<(), AwsError> {
    let mut own = table.routes.iter();
    let is_endpoints = |via: &Via| matches!(via, Via::Endpoint(_));
    match own.any(|route| route.to == *to && is_endpoints(&route.via)) {
        false => Ok(()),
        true => Err(invalid_value(format!(
            "cannot remove VPC endpoint route {} in route table {}",
            text(to),
            table.key.id
        ))),
    }
}

/// All routes of a table as answers have them: those to the VPC's own ranges first.
pub fn shapes(world: &World, table: &RouteTableRecord) -> Vec<Route> {
    let vpc = world.get(&VPCS, &table.key.beside(&table.vpc));
    let own = vpc.into_iter().flat_map(|vpc| {
        let ipv4 = vpc.cidrs.iter().map(|range| IpNet::V4(range.cidr));
        ipv4.chain(vpc.ipv6.iter().map(|range| IpNet::V6(range.cidr)))
    });
    let local = own.map(|net| {
        let to = match net {
            IpNet::V4(net) => To::Ipv4(net),
            IpNet::V6(net) => To::Ipv6(net),
        };
        Route {
            gateway_id: Some("local".into()),
            origin: Some("CreateRouteTable".into()),
            state: Some("active".into()),
            ..bare(&to)
        }
    });
    local
        .chain(table.routes.iter().map(|route| shape(world, table, route)))
        .collect()
}

fn bare(to: &To) -> Route {
    let mut route = Route::default();
    match to {
        To::Ipv4(net) => route.destination_cidr_block = Some(net.to_string()),
        To::Ipv6(net) => route.destination_ipv6_cidr_block = Some(net.to_string()),
        To::PrefixList(id) => route.destination_prefix_list_id = Some(id.clone()),
    }
    route
}

fn shape(world: &World, table: &RouteTableRecord, route: &RouteRecord) -> Route {
    let mut shape = bare(&route.to);
    let is_here = match &route.via {
        Via::InternetGateway(id) => {
            shape.gateway_id = Some(id.clone());
            let gateway = world.get(&INTERNET_GATEWAYS, &table.key.beside(id));
            gateway.is_some_and(|gateway| gateway.vpc.as_ref() == Some(&table.vpc))
        }
        Via::EgressOnlyGateway(id) => {
            shape.egress_only_internet_gateway_id = Some(id.clone());
            let key = table.key.beside(id);
            world.get(&EGRESS_ONLY_GATEWAYS, &key).is_some()
        }
        Via::NatGateway(id) => {
            shape.nat_gateway_id = Some(id.clone());
            let gateway = world.get(&NAT_GATEWAYS, &table.key.beside(id));
            gateway.is_some_and(|gateway| gateway.is_available())
        }
        Via::Endpoint(id) => {
            shape.gateway_id = Some(id.clone());
            world.get(&ENDPOINTS, &table.key.beside(id)).is_some()
        }
        Via::Interface(id) => {
            shape.network_interface_id = Some(id.clone());
            world.get(&INTERFACES, &table.key.beside(id)).is_some()
        }
    };
    shape.origin = Some("CreateRoute".into());
    shape.state = Some(if is_here { "active" } else { "blackhole" }.into());
    shape
}
