//! VPC endpoints: how one gets its routes and interfaces, and loses them.
//!
//! Services are reached at Longshore's own endpoint, whichever endpoints there are: so a gateway's routes
//! lead to a list without ranges, and no host holds the interfaces.
//! Rule: EC2 API reference, CreateVpcEndpoint and ModifyVpcEndpoint.

use crate::errors::{code, invalid_value};
use crate::prefix_list::OF_SERVICES;
use crate::records::endpoint::{BY_VPC, ENDPOINTS, EndpointRecord};
use crate::records::interface::{AttachmentRecord, INTERFACES, InterfaceRecord};
use crate::records::route::{ROUTE_TABLES, RouteRecord, RouteTableRecord, To, Via};
use crate::records::{SubnetRecord, fresh_id, within};
use crate::resource::lookup;
use crate::{address, interface, tags};
use aws_types::{AwsError, Ctx, Scope};
use store::Txn;

/// Services that an interface endpoint may lead to, as their names end.
const INTERFACES_OF: [&str; 18] = [
    "autoscaling",
    "ec2",
    "ec2messages",
    "ecr.api",
    "ecr.dkr",
    "ecs",
    "ecs-agent",
    "ecs-telemetry",
    "elasticloadbalancing",
    "events",
    "kms",
    "logs",
    "monitoring",
    "s3",
    "secretsmanager",
    "servicediscovery",
    "ssm",
    "sts",
];

/// All services with endpoints in a region: name, whether it is a gateway's.
#[must_use]
pub fn services(scope: &Scope) -> Vec<(String, bool)> {
    let gateways = OF_SERVICES.iter().map(|(service, _)| (*service, true));
    let interfaces = INTERFACES_OF.iter().map(|service| (*service, false));
    let named = |(service, is_gateway)| {
        (
            format!("com.amazonaws.{}.{service}", scope.region),
            is_gateway,
        )
    };
    gateways.chain(interfaces).map(named).collect()
}

/// The list to which the routes of a gateway endpoint lead.
fn list_of(endpoint: &EndpointRecord) -> Option<&'static str> {
    let service = endpoint.service.rsplit('.').next();
    let mut lists = OF_SERVICES.iter();
    lists
        .find(|(known, _)| Some(*known) == service)
        .map(|(_, list)| *list)
}

/// Puts a route to a gateway endpoint into a table.
///
/// # Errors
/// `InvalidRouteTableID.NotFound`, `InvalidParameterValue` for a table of another VPC,
/// `RouteAlreadyExists` where another endpoint of the service has one.
pub fn add_table(txn: &mut Txn, endpoint: &mut EndpointRecord, id: &str) -> Result<(), AwsError> {
    let table = lookup::<RouteTableRecord>(txn, &endpoint.key.scope, id)?.clone();
    if table.vpc != endpoint.vpc {
        return Err(invalid_value(format!(
            "Route table {id} does not belong to VPC {}",
            endpoint.vpc
        )));
    }
    let Some(list) = list_of(endpoint) else {
        return Ok(());
    };
    if !endpoint.tables.insert(id.into()) {
        return Ok(());
    }
    let to = To::PrefixList(list.into());
    if table.routes.iter().any(|route| route.to == to) {
        return Err(code("RouteAlreadyExists").with(format!(
            "route table {id} already has a route with destination-prefix-list-id {list}"
        )));
    }
    let via = Via::Endpoint(endpoint.key.id.clone());
    txn.update(&ROUTE_TABLES, &table.key, |table| {
        table.routes.push(RouteRecord { to, via });
    });
    Ok(())
}

/// Takes the route to a gateway endpoint out of a table.
pub fn remove_table(txn: &mut Txn, endpoint: &mut EndpointRecord, id: &str) {
    endpoint.tables.remove(id);
    let via = Via::Endpoint(endpoint.key.id.clone());
    txn.update(&ROUTE_TABLES, &endpoint.key.beside(id), |table| {
        table.routes.retain(|route| route.via != via);
    });
}

/// A table goes: no endpoint has it any more.
pub fn forget_table(txn: &mut Txn, table: &RouteTableRecord) {
    let at = within(&table.key.scope, &table.vpc);
    let all = txn.find(&ENDPOINTS, &BY_VPC, &at);
    let all: Vec<_> = all.map(|endpoint| endpoint.key.clone()).collect();
    for key in all {
        txn.update(&ENDPOINTS, &key, |endpoint| {
            endpoint.tables.remove(&table.key.id);
        });
    }
}

/// Gives an interface endpoint an interface in a subnet.
///
/// # Errors
/// `InvalidSubnetID.NotFound`, `InvalidParameterValue` for one of another VPC, `DuplicateSubnetsInSameZone`,
/// `InsufficientFreeAddressesInSubnet`; as [`interface::check_groups`].
pub fn add_subnet(
    txn: &mut Txn,
    ctx: &mut Ctx,
    endpoint: &mut EndpointRecord,
    id: &str,
) -> Result<(), AwsError> {
    let subnet = lookup::<SubnetRecord>(txn, &ctx.scope, id)?.clone();
    if subnet.vpc != endpoint.vpc {
        return Err(invalid_value(format!(
            "Subnet {id} does not belong to VPC {}",
            endpoint.vpc
        )));
    }
    if endpoint.subnets.contains_key(id) {
        return Ok(());
    }
    let others = endpoint.subnets.values();
    let mut others = others.filter_map(|eni| txn.get(&INTERFACES, &endpoint.key.beside(eni)));
    if others.any(|other| other.zone == subnet.zone) {
        return Err(code("DuplicateSubnetsInSameZone")
            .with("Found another VPC endpoint subnet in the availability zone."));
    }
    drop(others);
    let own = interface::draft(txn, ctx, &subnet, &endpoint.groups)?;
    let private = address::take_lowest(txn, &subnet, &own.key.id)?;
    let own = InterfaceRecord {
        addresses: vec![private],
        private_dns_name: interface::private_dns_name(&ctx.scope, private),
        description: format!("VPC Endpoint Interface {}", endpoint.key.id),
        kind: "vpc_endpoint".into(),
        requester_managed: true,
        attachment: Some(AttachmentRecord {
            id: fresh_id(ctx, "ela-attach"),
            at: ctx.now,
            is_attached: true,
        }),
        ..own
    };
    endpoint.subnets.insert(id.into(), own.key.id.clone());
    txn.put(&INTERFACES, own);
    Ok(())
}

/// Takes an endpoint's interface out of a subnet.
pub fn remove_subnet(txn: &mut Txn, endpoint: &mut EndpointRecord, id: &str) {
    if let Some(eni) = endpoint.subnets.remove(id) {
        interface::remove(txn, &endpoint.key.scope, &eni);
    }
}

/// Gives an endpoint's interfaces the groups that it has.
pub fn spread_groups(txn: &mut Txn, endpoint: &EndpointRecord) {
    for eni in endpoint.subnets.values() {
        txn.update(&INTERFACES, &endpoint.key.beside(eni), |interface| {
            interface.groups.clone_from(&endpoint.groups);
        });
    }
}

/// Removes an endpoint with its routes and interfaces.
pub fn delete(txn: &mut Txn, endpoint: &EndpointRecord) {
    let mut gone = endpoint.clone();
    for table in &endpoint.tables {
        remove_table(txn, &mut gone, table);
    }
    for subnet in endpoint.subnets.keys() {
        remove_subnet(txn, &mut gone, subnet);
    }
    txn.delete(&ENDPOINTS, &endpoint.key);
    tags::forget(txn, &endpoint.key);
}
