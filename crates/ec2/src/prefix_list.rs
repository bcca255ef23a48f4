//! Prefix lists: users' own, and those that name AWS's services.
//!
//! Rule: VPC user guide, "Managed prefix lists" and "AWS-managed prefix lists". The latter have no ranges
//! here: services are reached at Longshore's own endpoint, not at public addresses.

use crate::errors::has_dependencies;
use crate::records::ResourceKey;
use crate::records::group::{BY_PEER, RULES};
use crate::records::prefix_list::{PREFIX_LISTS, PrefixListRecord};
use crate::records::route::{ROUTE_TABLES, To};
use crate::records::within;
use crate::resource::{Resource, lookup};
use aws_types::{AwsError, Scope};
use ipnet::IpNet;
use std::collections::BTreeMap;
use store::World;

/// The services with a gateway endpoint, and the id of the list of each.
pub const OF_SERVICES: [(&str, &str); 2] = [("s3", "pl-63a5400a"), ("dynamodb", "pl-02cd2c6b")];

/// The lists that name AWS's services in a region.
#[must_use]
pub fn of_services(scope: &Scope) -> Vec<PrefixListRecord> {
    let lists = OF_SERVICES.iter().map(|(service, id)| PrefixListRecord {
        key: ResourceKey::new(scope, id),
        name: format!("com.amazonaws.{}.{service}", scope.region),
        is_ipv6: false,
        max_entries: 1,
        state: "create-complete".into(),
        versions: vec![vec![]],
    });
    lists.collect()
}

/// Whether a list names a service.
#[must_use]
pub fn is_of_service(id: &str) -> bool {
    OF_SERVICES.iter().any(|(_, own)| *own == id)
}

/// The list of this id, whosever it is.
///
/// # Errors
/// `InvalidPrefixListID.NotFound`, `InvalidPrefixListId.Malformed`.
pub fn require(world: &World, scope: &Scope, id: &str) -> Result<PrefixListRecord, AwsError> {
    let mut own = of_services(scope).into_iter();
    match own.find(|list| list.key.id == id) {
        Some(list) => Ok(list),
        None => lookup::<PrefixListRecord>(world, scope, id).map(|list| list.as_ref().clone()),
    }
}

/// The ranges of all lists of a scope, by id.
#[must_use]
pub fn ranges(world: &World, scope: &Scope) -> BTreeMap<String, Vec<IpNet>> {
    let own = ResourceKey::prefix(scope);
    let all = world.scan_prefix(&PREFIX_LISTS, &own, None);
    all.map(|(_, list)| {
        let ranges = list.entries().iter().map(|entry| entry.cidr);
        (list.key.id.clone(), ranges.collect())
    })
    .collect()
}

/// That neither a rule nor a route names a list.
///
/// # Errors
/// `DependencyViolation`.
pub fn check_unused(world: &World, list: &PrefixListRecord) -> Result<(), AwsError> {
    let ResourceKey { scope, id } = &list.key;
    let is_in_rule = world
        .find(&RULES, &BY_PEER, &within(scope, id))
        .next()
        .is_some();
    let own = ResourceKey::prefix(scope);
    let mut tables = world.scan_prefix(&ROUTE_TABLES, &own, None);
    let is_it = |to: &To| matches!(to, To::PrefixList(other) if other == id);
    let is_in_route = tables.any(|(_, table)| table.routes.iter().any(|route| is_it(&route.to)));
    match is_in_rule || is_in_route {
        false => Ok(()),
        true => Err(has_dependencies(PrefixListRecord::KIND.noun, id)),
    }
}
