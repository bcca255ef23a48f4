//! Public addresses are nobody else's while a host may still translate them.

#![expect(clippy::unwrap_used, reason = "what is missing fails the test")]

use aws_types::{Ctx, Timestamp};
use ec2::interface::{self, Wanted};
use ec2::nat::{self, Wanted as NatWanted};
use ec2::records::address::{ADDRESSES, ALLOCATIONS, AllocationRecord};
use ec2::records::gateway::{INTERNET_GATEWAYS, InternetGatewayRecord};
use ec2::records::held::HELD;
use ec2::records::nat::NatGatewayRecord;
use ec2::records::route::{ROUTE_TABLES, RouteRecord, To, Via};
use ec2::records::{ResourceKey, SubnetRecord, VPCS, tables};
use ec2::{address, defaults, held, subnet, vpc};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;
use store::{Schema, Txn, World};

/// One VPC with a subnet that a route leads out of, and a task on each of some hosts.
struct Network {
    subnet: Arc<SubnetRecord>,
}

struct Setting {
    txn: Txn,
    ctx: Ctx,
}

impl Setting {
    fn new() -> Self {
        let mut txn = Txn::new(World::empty(&Schema::new(&tables())));
        let mut ctx = Ctx::for_tests(1, Timestamp::from_millis(0));
        defaults::ensure(&mut txn, &mut ctx);
        Self { txn, ctx }
    }

    fn network(&mut self, cidr: &str, hosts: &[&str]) -> Network {
        let (txn, ctx) = (&mut self.txn, &mut self.ctx);
        let wanted = vpc::Wanted {
            cidr: cidr.parse().unwrap(),
            with_ipv6: false,
            tenancy: "default".into(),
            is_default: false,
        };
        let made = vpc::create(txn, ctx, wanted).unwrap();
        let wanted = subnet::Wanted {
            cidr: cidr.parse().unwrap(),
            ipv6: None,
            zone: "us-east-1a".into(),
            is_default: false,
        };
        let subnet = subnet::create(txn, ctx, &made, wanted).unwrap();
        let gateway = ResourceKey::fresh(ctx, "igw");
        let vpc = Some(made.key.id.clone());
        let (key, id) = (gateway.clone(), gateway.id.clone());
        txn.put(&INTERNET_GATEWAYS, InternetGatewayRecord { key, vpc });
        let main = vpc::main_table(txn, &made.key.scope, &made.key.id).unwrap();
        let (to, via) = (
            To::Ipv4("0.0.0.0/0".parse().unwrap()),
            Via::InternetGateway(id),
        );
        let key = main.key.clone();
        txn.update(&ROUTE_TABLES, &key, |table| {
            table.routes.push(RouteRecord { to, via });
        });
        let network = Network {
            subnet: Arc::new(subnet),
        };
        for host in hosts {
            self.task(&network, host);
        }
        network
    }

    fn task(&mut self, network: &Network, host: &str) {
        let wanted = Wanted {
            subnet: network.subnet.key.id.clone(),
            host: Some(host.into()),
            ..Wanted::default()
        };
        interface::create_for_task(&mut self.txn, &mut self.ctx, &wanted).unwrap();
    }

    fn allocate(&mut self) -> AllocationRecord {
        let key = ResourceKey::fresh(&mut self.ctx, "eipalloc");
        let made = AllocationRecord {
            address: address::take_public(&mut self.txn, &key.id).unwrap(),
            key,
            interface: None,
            association: None,
        };
        self.txn.put(&ALLOCATIONS, made.clone());
        made
    }

    /// As it is now.
    fn again(&self, one: &AllocationRecord) -> Arc<AllocationRecord> {
        self.txn.get(&ALLOCATIONS, &one.key).unwrap().clone()
    }

    fn gateway(&mut self, network: &Network, allocation: &AllocationRecord) -> NatGatewayRecord {
        let wanted = NatWanted {
            subnet: network.subnet.clone(),
            allocation: Some(self.again(allocation)),
            private: None,
        };
        let made = nat::create(&mut self.txn, &mut self.ctx, &wanted).unwrap();
        assert!(made.is_available());
        made
    }

    fn translates(&self, gateway: &NatGatewayRecord) -> Option<Ipv4Addr> {
        nat::public_address(&self.txn, gateway, "0.0.0.0/0".parse().unwrap())
    }

    fn applied(&mut self, host: &str) {
        let waiting = held::waiting(&self.txn, [host].into_iter());
        held::confirm(&mut self.txn, &[host.to_owned()], &waiting);
    }

    fn is_free(&self, address: Ipv4Addr) -> bool {
        self.txn
            .scan(&ADDRESSES)
            .all(|row| row.key.address != address)
    }
}

#[test]
fn a_released_address_is_nobodys_until_all_hosts_of_the_vpc_have_heard() {
    let mut all = Setting::new();
    let network = all.network("10.1.0.0/24", &["h1", "h2"]);
    let one = all.allocate();
    let gateway = all.gateway(&network, &one);
    assert_eq!(all.translates(&gateway), Some(one.address));
    nat::delete(&mut all.txn, &all.ctx, &gateway.key);
    // ReleaseAddress.
    held::free(&mut all.txn, one.address);
    all.txn.delete(&ALLOCATIONS, &one.key);
    assert!(!all.is_free(one.address));
    let next = all.allocate();
    assert_ne!(next.address, one.address);
    all.applied("h1");
    assert!(!all.is_free(one.address));
    all.applied("h2");
    assert!(all.is_free(one.address) && all.txn.count(&HELD) == 0);
    assert_eq!(all.allocate().address, one.address);
}

#[test]
fn another_vpc_waits_with_its_translation_and_the_same_does_not() {
    let mut all = Setting::new();
    let first = all.network("10.1.0.0/24", &["h1"]);
    let other = all.network("10.2.0.0/24", &["h2"]);
    let one = all.allocate();
    let gateway = all.gateway(&first, &one);
    nat::delete(&mut all.txn, &all.ctx, &gateway.key);
    let same = all.gateway(&first, &one);
    assert_eq!(all.translates(&same), Some(one.address));
    nat::delete(&mut all.txn, &all.ctx, &same.key);
    let elsewhere = all.gateway(&other, &one);
    assert_eq!(all.translates(&elsewhere), None);
    // What the first host heard before the address went there again is not enough.
    let early: BTreeSet<u32> = held::waiting(&all.txn, ["h1"].into_iter())
        .into_iter()
        .take(1)
        .collect();
    held::confirm(&mut all.txn, &["h1".to_owned()], &early);
    assert_eq!(all.translates(&elsewhere), None);
    all.applied("h2");
    assert_eq!(
        all.translates(&elsewhere),
        None,
        "it is the first one's that is waited for"
    );
    all.applied("h1");
    assert_eq!(all.translates(&elsewhere), Some(one.address));
    assert!(!all.is_free(one.address), "it is still somebody's");
}

#[test]
fn a_host_that_is_no_more_is_not_waited_for() {
    let mut all = Setting::new();
    let network = all.network("10.1.0.0/24", &["h1", "h2"]);
    let one = all.allocate();
    let gateway = all.gateway(&network, &one);
    nat::delete(&mut all.txn, &all.ctx, &gateway.key);
    held::free(&mut all.txn, one.address);
    all.applied("h1");
    held::keep_hosts(&mut all.txn, |host| host == "h2");
    assert!(!all.is_free(one.address));
    held::keep_hosts(&mut all.txn, |host| host != "h2");
    assert!(all.is_free(one.address) && all.txn.count(&HELD) == 0);
}

#[test]
fn nothing_is_held_where_no_host_translates() {
    let mut all = Setting::new();
    let network = all.network("10.1.0.0/24", &[]);
    let one = all.allocate();
    let gateway = all.gateway(&network, &one);
    nat::delete(&mut all.txn, &all.ctx, &gateway.key);
    assert_eq!(all.txn.count(&HELD), 0);
    held::free(&mut all.txn, one.address);
    assert!(all.is_free(one.address));
    assert!(all.txn.count(&VPCS) > 1);
}
