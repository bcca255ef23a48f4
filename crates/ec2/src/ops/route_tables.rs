//! Route tables and for which subnets they hold.

use super::routes;
use crate::errors::{code, has_dependencies, refuse, required};
use crate::filter::{Field, fields};
use crate::records::route::{BY_ASSOCIATION, ROUTE_TABLES, RouteAssociation, RouteTableRecord};
use crate::records::subnet::SubnetRecord;
use crate::records::vpc::VpcRecord;
use crate::records::{ResourceKey, fresh_id, within};
use crate::resource::{self, Kind, Query, Resource, lookup};
use crate::{endpoint, tags, tokens};
use aws_api::Empty;
use aws_api::ec2::{
    AssociateRouteTableRequest, AssociateRouteTableResult, CreateRouteTableRequest,
    CreateRouteTableResult, DeleteRouteTableRequest, DescribeRouteTablesRequest,
    DescribeRouteTablesResult, DisassociateRouteTableRequest, ReplaceRouteTableAssociationRequest,
    ReplaceRouteTableAssociationResult, Route, RouteTable, RouteTableAssociation,
    RouteTableAssociationState,
};
use aws_types::{AwsError, Ctx};
use std::sync::Arc;
use store::{Table, Txn, World};

impl Resource for RouteTableRecord {
    const KIND: Kind = Kind {
        prefix: "rtb",
        name: "route-table",
        noun: "routeTable ID",
        not_found: "InvalidRouteTableID.NotFound",
        malformed: "InvalidRouteTableId.Malformed",
        parameter: "routeTableId",
    };
    fn table() -> &'static Table<ResourceKey, Self> {
        &ROUTE_TABLES
    }
    fn fields() -> &'static [Field<Self>] {
        FIELDS
    }
    fn key(&self) -> &ResourceKey {
        &self.key
    }
}

/// Rule: EC2 API reference, DescribeRouteTables, `Filter.N`. No table is a gateway's.
const FIELDS: &[Field<RouteTableRecord>] = fields![
    "association.gateway-id" => |_, _| Vec::<String>::new(),
    "association.main" => |_, table| table.associations.iter().map(|a| a.subnet.is_none().to_string()),
    "association.route-table-association-id" => |_, table| table.associations.iter().map(|a| a.id.clone()),
    "association.route-table-id" => |_, table| table.associations.iter().map(|_| table.key.id.clone()),
    "association.subnet-id" => |_, table| table.associations.iter().filter_map(|a| a.subnet.clone()),
    "owner-id" => |_, table| [table.key.scope.account.clone()],
    "route.destination-cidr-block" => |world, table| of_routes(world, table, |route| route.destination_cidr_block),
    "route.destination-ipv6-cidr-block" => |world, table| of_routes(world, table, |route| route.destination_ipv6_cidr_block),
    "route.destination-prefix-list-id" => |world, table| of_routes(world, table, |route| route.destination_prefix_list_id),
    "route.egress-only-internet-gateway-id" => |world, table| of_routes(world, table, |route| route.egress_only_internet_gateway_id),
    "route.gateway-id" => |world, table| of_routes(world, table, |route| route.gateway_id),
    "route.instance-id" => |world, table| of_routes(world, table, |route| route.instance_id),
    "route.nat-gateway-id" => |world, table| of_routes(world, table, |route| route.nat_gateway_id),
    "route.origin" => |world, table| of_routes(world, table, |route| route.origin),
    "route.state" => |world, table| of_routes(world, table, |route| route.state),
    "route.transit-gateway-id" => |world, table| of_routes(world, table, |route| route.transit_gateway_id),
    "route.vpc-peering-connection-id" => |world, table| of_routes(world, table, |route| route.vpc_peering_connection_id),
    "route-table-id" => |_, table| [table.key.id.clone()],
    "vpc-id" => |_, table| [table.vpc.clone()],
];

/// What the routes of a table have of something.
fn of_routes(
    world: &World,
    table: &RouteTableRecord,
    of: fn(Route) -> Option<String>,
) -> impl Iterator<Item = String> {
    routes::shapes(world, table).into_iter().filter_map(of)
}

/// CreateRouteTable.
pub fn create(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &CreateRouteTableRequest,
) -> Result<CreateRouteTableResult, AwsError> {
    let vpc = required(input.vpc_id.as_ref(), "vpcId")?;
    let made = tokens::once(txn, ctx, input.client_token.as_ref(), input, |txn, ctx| {
        lookup::<VpcRecord>(txn, &ctx.scope, vpc)?;
        let made = RouteTableRecord {
            key: ResourceKey::fresh(ctx, "rtb"),
            vpc: vpc.into(),
            associations: vec![],
            routes: vec![],
        };
        txn.put(&ROUTE_TABLES, made.clone());
        let given = input.tag_specifications.as_ref();
        tags::create(txn, &made.key, RouteTableRecord::KIND, given)?;
        Ok(made)
    })?;
    Ok(CreateRouteTableResult {
        route_table: Some(shape(txn, &made)),
        client_token: input.client_token.clone(),
    })
}

/// DeleteRouteTable.
pub fn delete(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DeleteRouteTableRequest,
) -> Result<Empty, AwsError> {
    let id = required(input.route_table_id.as_ref(), "routeTableId")?;
    let found = lookup::<RouteTableRecord>(txn, &ctx.scope, id)?.clone();
    if !found.associations.is_empty() {
        return Err(has_dependencies("routeTable", id));
    }
    endpoint::forget_table(txn, &found);
    txn.delete(&ROUTE_TABLES, &found.key);
    tags::forget(txn, &found.key);
    Ok(Empty {})
}

/// DescribeRouteTables.
pub fn describe(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeRouteTablesRequest,
) -> Result<DescribeRouteTablesResult, AwsError> {
    let query = Query {
        ids: input.route_table_ids.as_ref(),
        filters: input.filters.as_ref(),
        max_results: input.max_results,
        next_token: input.next_token.as_ref(),
    };
    let page = resource::describe::<RouteTableRecord>(world, ctx, query)?;
    let shapes = page.items.iter().map(|table| shape(world, table));
    Ok(DescribeRouteTablesResult {
        route_tables: Some(shapes.collect()),
        next_token: page.next_token,
    })
}

/// AssociateRouteTable.
pub fn associate(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &AssociateRouteTableRequest,
) -> Result<AssociateRouteTableResult, AwsError> {
    refuse(&[
        ("GatewayId", input.gateway_id.is_some()),
        ("PublicIpv4Pool", input.public_ipv4_pool.is_some()),
    ])?;
    let id = required(input.route_table_id.as_ref(), "routeTableId")?;
    let subnet = required(input.subnet_id.as_ref(), "subnetId")?;
    let table = lookup::<RouteTableRecord>(txn, &ctx.scope, id)?.clone();
    let found = lookup::<SubnetRecord>(txn, &ctx.scope, subnet)?.clone();
    if found.vpc != table.vpc {
        return Err(crate::errors::invalid_value(format!(
            "Route table {id} and subnet {subnet} belong to different networks"
        )));
    }
    let at = within(&ctx.scope, subnet);
    let before = txn
        .find(&ROUTE_TABLES, &BY_ASSOCIATION, &at)
        .next()
        .cloned();
    if let Some(before) = before {
        let mut associations = before.associations.iter();
        let own = associations.find(|a| a.subnet.as_deref() == Some(subnet));
        let own = own.map(|a| a.id.clone()).unwrap_or_default();
        if before.key == table.key {
            return Ok(associated(own));
        }
        return Err(code("Resource.AlreadyAssociated").with(format!(
            "the specified association for route table {id} conflicts with an existing association"
        )));
    }
    let association = RouteAssociation {
        id: fresh_id(ctx, "rtbassoc"),
        subnet: Some(subnet.into()),
    };
    let answer = associated(association.id.clone());
    txn.update(&ROUTE_TABLES, &table.key, |table| {
        table.associations.push(association);
    });
    Ok(answer)
}

fn associated(id: String) -> AssociateRouteTableResult {
    AssociateRouteTableResult {
        association_id: Some(id),
        association_state: state(),
    }
}

fn state() -> Option<RouteTableAssociationState> {
    Some(RouteTableAssociationState {
        state: Some("associated".into()),
        status_message: None,
    })
}

/// The table that has an association, and the association.
fn by_association(
    world: &World,
    ctx: &Ctx,
    id: &str,
) -> Result<(Arc<RouteTableRecord>, RouteAssociation), AwsError> {
    let at = within(&ctx.scope, id);
    let table = world.find(&ROUTE_TABLES, &BY_ASSOCIATION, &at).next();
    let found = table.and_then(|table| {
        let mut associations = table.associations.iter();
        let own = associations.find(|association| association.id == id)?;
        Some((table.clone(), own.clone()))
    });
    found.ok_or_else(|| {
        code("InvalidAssociationID.NotFound")
            .with(format!("The association ID '{id}' does not exist"))
    })
}

/// DisassociateRouteTable.
pub fn disassociate(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DisassociateRouteTableRequest,
) -> Result<Empty, AwsError> {
    let id = required(input.association_id.as_ref(), "associationId")?;
    let (table, own) = by_association(txn, ctx, id)?;
    if own.subnet.is_none() {
        return Err(crate::errors::invalid_value(format!(
            "cannot disassociate the main route table association {id}"
        )));
    }
    txn.update(&ROUTE_TABLES, &table.key, |table| {
        table
            .associations
            .retain(|association| association.id != id);
    });
    Ok(Empty {})
}

/// ReplaceRouteTableAssociation: also how another table becomes the main one.
pub fn replace_association(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &ReplaceRouteTableAssociationRequest,
) -> Result<ReplaceRouteTableAssociationResult, AwsError> {
    let id = required(input.association_id.as_ref(), "associationId")?;
    let to = required(input.route_table_id.as_ref(), "routeTableId")?;
    let (from, own) = by_association(txn, ctx, id)?;
    let to = lookup::<RouteTableRecord>(txn, &ctx.scope, to)?.clone();
    if to.vpc != from.vpc {
        return Err(crate::errors::invalid_value(format!(
            "Route tables {} and {} belong to different networks",
            from.key.id, to.key.id
        )));
    }
    let new = RouteAssociation {
        id: fresh_id(ctx, "rtbassoc"),
        subnet: own.subnet,
    };
    let new_id = new.id.clone();
    txn.update(&ROUTE_TABLES, &from.key, |table| {
        table
            .associations
            .retain(|association| association.id != id);
    });
    txn.update(&ROUTE_TABLES, &to.key, |table| table.associations.push(new));
    Ok(ReplaceRouteTableAssociationResult {
        new_association_id: Some(new_id),
        association_state: state(),
    })
}

fn shape(world: &World, table: &RouteTableRecord) -> RouteTable {
    let associations = table.associations.iter().map(|own| RouteTableAssociation {
        association_state: state(),
        main: Some(own.subnet.is_none()),
        route_table_association_id: Some(own.id.clone()),
        route_table_id: Some(table.key.id.clone()),
        subnet_id: own.subnet.clone(),
        ..RouteTableAssociation::default()
    });
    RouteTable {
        associations: Some(associations.collect()),
        owner_id: Some(table.key.scope.account.clone()),
        propagating_vgws: Some(vec![]),
        route_table_id: Some(table.key.id.clone()),
        routes: Some(routes::shapes(world, table)),
        tags: Some(tags::shape(world, &table.key)),
        vpc_id: Some(table.vpc.clone()),
    }
}
