//! What a host is told of NAT gateways, network ACLs and prefix lists.

#![expect(clippy::unwrap_used, reason = "what is missing fails the test")]

use aws_api::agent::host_sync::{Destination, Route, Row, SubnetRow};
use aws_types::{Ctx, Timestamp};
use ec2::host::Hosts;
use ec2::interface::{self, Wanted};
use ec2::records::acl::{ACLS, AclEntryRecord};
use ec2::records::address::{ALLOCATIONS, AllocationRecord};
use ec2::records::group::{Peer, Traffic};
use ec2::records::prefix_list::{PREFIX_LISTS, PrefixEntry, PrefixListRecord};
use ec2::records::route::{ROUTE_TABLES, RouteRecord, RouteTableRecord, To, Via};
use ec2::records::{ResourceKey, RuleRecord, SUBNETS, SubnetRecord, tables};
use ec2::{acl, address, defaults, group, host, nat, vpc};
use std::sync::Arc;
use store::{Schema, Txn, World};

/// A default VPC, and an interface in its first subnet on host `h1`.
fn start() -> (Txn, Ctx, Arc<SubnetRecord>) {
    let mut txn = Txn::new(World::empty(&Schema::new(&tables())));
    let mut ctx = Ctx::for_tests(1, Timestamp::from_millis(0));
    defaults::ensure(&mut txn, &mut ctx);
    let subnet = txn.scan(&SUBNETS).next().unwrap().clone();
    let wanted = Wanted {
        subnet: subnet.key.id.clone(),
        host: Some("h1".into()),
        ..Wanted::default()
    };
    interface::create_for_task(&mut txn, &mut ctx, &wanted).unwrap();
    (txn, ctx, subnet)
}

fn row(txn: &Txn, subnet: &SubnetRecord) -> SubnetRow {
    let rows = host::rows(txn, "h1", &Hosts::default()).into_iter();
    let mut rows = rows.filter_map(|row| match row {
        Row::Subnet(row) if row.id == subnet.key.id => Some(row),
        _ => None,
    });
    rows.next().unwrap()
}

/// A table of the subnet's own with these routes.
fn own_table(txn: &mut Txn, subnet: &SubnetRecord, routes: Vec<RouteRecord>) {
    let table = RouteTableRecord {
        key: subnet.key.beside("rtb-own"),
        vpc: subnet.vpc.clone(),
        associations: vec![ec2::records::route::RouteAssociation {
            id: "rtbassoc-own".into(),
            subnet: Some(subnet.key.id.clone()),
        }],
        routes,
    };
    txn.put(&ROUTE_TABLES, table);
}

fn everywhere(via: Via) -> RouteRecord {
    RouteRecord {
        to: To::Ipv4("0.0.0.0/0".parse().unwrap()),
        via,
    }
}

fn by(via: Destination) -> Vec<Route> {
    let to = "0.0.0.0/0".parse().unwrap();
    vec![Route { to, via }]
}

#[test]
fn a_nat_gateway_leads_out_in_its_own_name_while_its_own_subnet_leads_out() {
    let (mut txn, mut ctx, private) = start();
    let public = txn.scan(&SUBNETS).nth(1).unwrap().clone();
    let key = ResourceKey::fresh(&mut ctx, "eipalloc");
    let allocation = AllocationRecord {
        address: address::take_public(&mut txn, &key.id).unwrap(),
        key,
        interface: None,
        association: None,
    };
    txn.put(&ALLOCATIONS, allocation.clone());
    let wanted = nat::Wanted {
        subnet: public.clone(),
        allocation: Some(Arc::new(allocation.clone())),
        private: None,
    };
    let made = nat::create(&mut txn, &mut ctx, &wanted).unwrap();
    let by_nat = || everywhere(Via::NatGateway(made.key.id.clone()));
    own_table(&mut txn, &private, vec![by_nat()]);
    let out = Destination::NatGateway {
        public: allocation.address,
    };
    assert_eq!(row(&txn, &private).routes, by(out));
    // A gateway in a subnet without a way out leads nowhere.
    let main = vpc::main_table(&txn, &ctx.scope, &public.vpc)
        .unwrap()
        .key
        .clone();
    let before = txn.get(&ROUTE_TABLES, &main).unwrap().routes.clone();
    txn.update(&ROUTE_TABLES, &main, |table| table.routes.clear());
    assert_eq!(row(&txn, &private).routes, by(Destination::Blackhole));
    txn.update(&ROUTE_TABLES, &main, |table| table.routes = before);
    // So does one in the very subnet that it is to serve, and one that is deleted.
    own_table(&mut txn, &public, vec![by_nat()]);
    assert_eq!(row(&txn, &public).routes, by(Destination::Blackhole));
    own_table(&mut txn, &private, vec![by_nat()]);
    nat::delete(&mut txn, &ctx, &made.key);
    assert_eq!(row(&txn, &private).routes, by(Destination::Blackhole));
    assert!(
        txn.get(&ALLOCATIONS, &allocation.key)
            .unwrap()
            .interface
            .is_none()
    );
}

#[test]
fn a_private_nat_gateway_leads_nowhere() {
    let (mut txn, mut ctx, subnet) = start();
    let public = txn.scan(&SUBNETS).nth(1).unwrap().clone();
    let wanted = nat::Wanted {
        subnet: public,
        allocation: None,
        private: None,
    };
    let made = nat::create(&mut txn, &mut ctx, &wanted).unwrap();
    own_table(
        &mut txn,
        &subnet,
        vec![everywhere(Via::NatGateway(made.key.id))],
    );
    assert_eq!(row(&txn, &subnet).routes, by(Destination::Blackhole));
}

#[test]
fn entries_of_an_acl_are_told_unless_the_first_ones_let_everything_pass() {
    let (mut txn, _, subnet) = start();
    assert_eq!(row(&txn, &subnet).acl, vec![]);
    let own = acl::acl_of(&txn, &subnet).unwrap().key.clone();
    let deny = |number| AclEntryRecord {
        number,
        egress: false,
        allow: false,
        cidr: "10.0.0.0/8".parse().unwrap(),
        protocol: 6,
        ports: Some((22, 22)),
        icmp: None,
    };
    txn.update(&ACLS, &own, |acl| acl.entries.insert(1, deny(200)));
    assert_eq!(
        row(&txn, &subnet).acl,
        vec![],
        "what stands after is never asked"
    );
    txn.update(&ACLS, &own, |acl| acl.entries.insert(0, deny(50)));
    let told = row(&txn, &subnet).acl;
    assert_eq!(told.len(), 6);
    assert!(!told[0].allow && told[0].ports.0 == 22 && told[1].allow);
    txn.update(&ACLS, &own, |acl| acl.entries.clear());
    let told = row(&txn, &subnet).acl;
    assert!(
        !told.is_empty() && told.iter().all(|entry| !entry.allow),
        "an ACL without entries denies"
    );
}

#[test]
fn rules_and_routes_follow_a_prefix_list() {
    let (mut txn, mut ctx, subnet) = start();
    let list = ResourceKey::fresh(&mut ctx, "pl");
    let entry = |cidr: &str| PrefixEntry {
        cidr: cidr.parse().unwrap(),
        description: None,
    };
    txn.put(
        &PREFIX_LISTS,
        PrefixListRecord {
            key: list.clone(),
            name: "office".into(),
            is_ipv6: false,
            max_entries: 5,
            state: "create-complete".into(),
            versions: vec![
                vec![entry("198.51.100.0/24")],
                vec![entry("203.0.113.0/24"), entry("192.0.2.0/24")],
            ],
        },
    );
    let default = interface::check_groups(&txn, &ctx.scope, &subnet.vpc, &[]).unwrap();
    let rule = RuleRecord {
        key: ResourceKey::fresh(&mut ctx, "sgr"),
        group: default[0].clone(),
        egress: false,
        traffic: Traffic {
            protocol: "tcp".into(),
            from: Some(80),
            to: Some(80),
        },
        peer: Peer::PrefixList(list.id.clone()),
        description: None,
    };
    group::add_rule(&mut txn, rule).unwrap();
    let rows = host::rows(&txn, "h1", &Hosts::default());
    let ingress = rows.iter().find_map(|row| match row {
        Row::GroupSet(set) => Some(&set.ingress),
        _ => None,
    });
    let firsts: Vec<_> = ingress
        .unwrap()
        .ranges
        .iter()
        .map(|range| range.first.to_string())
        .collect();
    assert_eq!(firsts, ["192.0.2.0", "203.0.113.0"]);
    let route = RouteRecord {
        to: To::PrefixList(list.id),
        via: Via::InternetGateway("igw-gone".into()),
    };
    own_table(&mut txn, &subnet, vec![route]);
    let routes = row(&txn, &subnet).routes;
    let told: Vec<_> = routes.iter().map(|route| route.to.to_string()).collect();
    assert_eq!(told, ["203.0.113.0/24", "192.0.2.0/24"]);
}
