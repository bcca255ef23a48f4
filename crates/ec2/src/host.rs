//! All that a host shall hold of the VPCs.
//!
//! Pure, and the whole of it: whoever tells a host compares with what it was told before.
//! Rule: design section 6, "Joining, and host sync": a host gets only rows of VPCs in which it has
//! interfaces.

use crate::records::interface::{BY_HOST, BY_VPC as INTERFACES_OF_VPC};
use crate::records::subnet::BY_VPC as SUBNETS_OF_VPC;
use crate::records::{
    GroupRecord, INTERFACES, InterfaceRecord, ResourceKey, RuleRecord, SUBNETS, SubnetRecord, VPCS,
    VpcRecord, within,
};
use crate::resource::lookup;
use crate::security::compile::{Surroundings, compile};
use crate::{acl, defaults, dhcp, group, prefix_list, route};
use aws_api::agent::host_sync::{GroupSetRow, HostRow, InterfaceRow, Row, SubnetRow, VpcRow};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::{Key, World};

/// The machines that interfaces can be on.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    /// Those with an address in the network between hosts, each once.
    pub underlays: Vec<HostRow>,
    /// Further names of a machine, each with the one that it is told and known by.
    pub aliases: BTreeMap<String, String>,
}

impl Hosts {
    fn known<'a>(&'a self, name: &'a str) -> &'a str {
        self.aliases.get(name).map_or(name, String::as_str)
    }
}

/// The rows for the host of this name.
#[must_use]
pub fn rows(world: &World, host: &str, hosts: &Hosts) -> Vec<Row> {
    let further = hosts.aliases.iter().filter(|(_, of)| *of == host);
    let names = further.map(|(name, _)| name.as_str()).chain([host]);
    let own =
        names.flat_map(|name| world.find_after(&INTERFACES, &BY_HOST, &Key::of(&[name]), None));
    let vpcs: BTreeSet<ResourceKey> = own
        .map(|one| ResourceKey::new(&one.key.scope, &one.vpc))
        .collect();
    let mut rows = Vec::new();
    let mut others: BTreeSet<String> = BTreeSet::new();
    for vpc in vpcs.iter().filter_map(|key| world.get(&VPCS, key)) {
        of_vpc(world, (host, hosts), vpc, &mut rows, &mut others);
    }
    let named = hosts
        .underlays
        .iter()
        .filter(|one| others.contains(&one.id));
    rows.extend(named.cloned().map(Row::Host));
    rows
}

fn of_vpc(
    world: &World,
    (host, hosts): (&str, &Hosts),
    vpc: &VpcRecord,
    rows: &mut Vec<Row>,
    others: &mut BTreeSet<String>,
) {
    let of = within(&vpc.key.scope, &vpc.key.id);
    rows.push(Row::Vpc(vpc_row(world, vpc)));
    let subnets = world.find_after(&SUBNETS, &SUBNETS_OF_VPC, &of, None);
    rows.extend(subnets.map(|subnet| Row::Subnet(subnet_row(world, subnet))));
    let mut combinations = BTreeSet::new();
    let mut own = BTreeMap::new();
    for one in world.find_after(&INTERFACES, &INTERFACES_OF_VPC, &of, None) {
        let Some(at) = &one.host else { continue };
        let (at, set) = (hosts.known(at), one.group_set());
        // Thousands have the same host and the same groups: what is known is not made anew.
        if at == host {
            own.insert(set.clone(), one.groups.clone());
        } else if !others.contains(at) {
            others.insert(at.to_owned());
        }
        if !combinations.contains(&set) {
            combinations.insert(set.clone());
        }
        let elsewhere = (at != host).then(|| at.to_owned());
        rows.push(Row::Interface(interface_row(one, set, elsewhere)));
    }
    let lists = prefix_list::ranges(world, &vpc.key.scope);
    let around = Surroundings {
        combinations: &combinations,
        prefix_lists: &lists,
    };
    for (set, groups) in own {
        rows.push(Row::GroupSet(group_set(world, vpc, (set, &groups), around)));
    }
}

fn vpc_row(world: &World, vpc: &VpcRecord) -> VpcRow {
    let naming = dhcp::naming(world, vpc);
    VpcRow {
        id: vpc.key.id.clone(),
        vni: vpc.vni,
        cidrs: vpc.cidrs.iter().map(|one| one.cidr).collect(),
        ipv6_cidrs: vpc.ipv6.iter().map(|one| one.cidr).collect(),
        resolver: vpc.dns_support,
        domain: vpc
            .dns_hostnames
            .then(|| defaults::domain(&vpc.key.scope.region)),
        name_servers: naming.servers,
        search: naming.search,
    }
}

fn subnet_row(world: &World, subnet: &Arc<SubnetRecord>) -> SubnetRow {
    SubnetRow {
        id: subnet.key.id.clone(),
        vpc: subnet.vpc.clone(),
        cidr: subnet.cidr,
        ipv6_cidr: subnet.ipv6.as_ref().map(|one| one.cidr),
        routes: route::of_subnet(world, subnet),
        acl: acl::of_subnet(world, subnet),
    }
}

fn interface_row(one: &InterfaceRecord, groups: String, host: Option<String>) -> InterfaceRow {
    InterfaceRow {
        id: one.key.id.clone(),
        vpc: one.vpc.clone(),
        subnet: one.subnet.clone(),
        mac: one.mac.clone(),
        addresses: one.addresses.clone(),
        ipv6_addresses: one.ipv6_addresses.clone(),
        public: one.public.as_ref().map(|public| public.address),
        groups,
        source_dest_check: one.source_dest_check,
        host,
    }
}

fn group_set(
    world: &World,
    vpc: &VpcRecord,
    (set, groups): (String, &[String]),
    around: Surroundings<'_>,
) -> GroupSetRow {
    let found = groups
        .iter()
        .filter_map(|id| lookup::<GroupRecord>(world, &vpc.key.scope, id).ok());
    let rules: Vec<Arc<RuleRecord>> = found
        .flat_map(|found| group::rules(world, &found.key))
        .collect();
    let of = |egress: bool| {
        let rules = rules.iter().map(AsRef::as_ref);
        compile(rules.filter(move |rule| rule.egress == egress), around)
    };
    GroupSetRow {
        vpc: vpc.key.id.clone(),
        groups: set,
        ingress: of(false),
        egress: of(true),
    }
}
