use super::*;
use crate::records::address::{ADDRESSES, AddressKey, space_of};
use crate::records::{ResourceKey, subnet::SUBNETS, tables};
use crate::{subnet, vpc};
use aws_types::Timestamp;
use proptest::prelude::*;
use store::{Schema, visited};

fn start() -> (Txn, Ctx) {
    let mut txn = Txn::new(World::empty(&Schema::new(&tables())));
    let mut ctx = Ctx::for_tests(1, Timestamp::from_millis(0));
    defaults::ensure(&mut txn, &mut ctx);
    (txn, ctx)
}

/// A subnet of a VPC of its own.
fn small(txn: &mut Txn, ctx: &mut Ctx, range: &str) -> SubnetRecord {
    let wanted = vpc::Wanted {
        cidr: range.parse().unwrap(),
        with_ipv6: false,
        tenancy: "default".into(),
        is_default: false,
    };
    let made = vpc::create(txn, ctx, wanted).unwrap();
    let wanted = subnet::Wanted {
        cidr: range.parse().unwrap(),
        ipv6: None,
        zone: "us-east-1a".into(),
        is_default: false,
    };
    subnet::create(txn, ctx, &made, wanted).unwrap()
}

fn wanted(subnet: &SubnetRecord) -> Wanted {
    Wanted {
        subnet: subnet.key.id.clone(),
        host: Some("h1".into()),
        ..Wanted::default()
    }
}

#[test]
fn an_interface_has_a_free_address_its_names_and_the_default_group() {
    let (mut txn, mut ctx) = start();
    let subnet = txn.scan(&SUBNETS).next().unwrap().clone();
    let made = create_for_task(&mut txn, &mut ctx, &wanted(&subnet)).unwrap();
    let base = u32::from(subnet.cidr.network());
    let usable = Ipv4Addr::from(base + 4)..=Ipv4Addr::from(base + 4094);
    assert!(usable.contains(&made.addresses[0]));
    assert_eq!(made.groups.len(), 1);
    assert!(made.requester_managed && made.mac.starts_with("02:"));
    assert_eq!(address::available(&txn, &subnet), 4096 - 6);
    let scope = Scope::new("000000000000", "eu-west-1");
    for (scope, name) in [
        (&ctx.scope, "ip-10-0-1-232.ec2.internal"),
        (&scope, "ip-10-0-1-232.eu-west-1.compute.internal"),
    ] {
        assert_eq!(private_dns_name(scope, Ipv4Addr::new(10, 0, 1, 232)), name);
    }
}

#[test]
fn what_cannot_be_made_is_refused_in_ec2s_words() {
    let (mut txn, mut ctx) = start();
    let tiny = small(&mut txn, &mut ctx, "10.0.0.0/28");
    let foreign = small(&mut txn, &mut ctx, "10.0.0.0/24");
    let foreign = check_groups(&txn, &ctx.scope, &foreign.vpc, &[]).unwrap();
    let good = wanted(&tiny);
    for (wanted, text) in [
        (
            Wanted {
                subnet: "subnet-0".into(),
                ..good.clone()
            },
            "InvalidSubnetID.NotFound: The subnet ID 'subnet-0' does not exist",
        ),
        (
            Wanted {
                groups: vec!["sg-0".into()],
                ..good.clone()
            },
            "InvalidGroup.NotFound: The security group 'sg-0' does not exist",
        ),
        (
            Wanted {
                groups: foreign,
                ..good.clone()
            },
            "InvalidParameterValue: You have specified two resources that belong to different networks.",
        ),
    ] {
        let error = create_for_task(&mut txn, &mut ctx, &wanted).unwrap_err();
        assert_eq!(error.to_string(), text);
    }
    for _ in 0..11 {
        create_for_task(&mut txn, &mut ctx, &good).unwrap();
    }
    let error = create_for_task(&mut txn, &mut ctx, &good).unwrap_err();
    assert_eq!(error.code().name, "InsufficientFreeAddressesInSubnet");
}

#[test]
fn an_address_that_was_left_is_not_the_next_one_given() {
    let (mut txn, mut ctx) = start();
    let subnet = txn.scan(&SUBNETS).next().unwrap().clone();
    let mut given = Vec::new();
    for _ in 0..8 {
        let made = create_for_task(&mut txn, &mut ctx, &wanted(&subnet)).unwrap();
        remove(&mut txn, &ctx.scope, &made.key.id);
        given.extend(made.addresses);
    }
    given.sort();
    given.dedup();
    assert_eq!(given.len(), 8);
}

#[test]
fn the_cost_of_an_address_does_not_grow_with_those_in_use() {
    let (mut txn, mut ctx) = start();
    let subnet = small(&mut txn, &mut ctx, "10.0.0.0/16");
    let (_, few) = visited(|| create_for_task(&mut txn, &mut ctx, &wanted(&subnet)).unwrap());
    for _ in 0..2_000 {
        create_for_task(&mut txn, &mut ctx, &wanted(&subnet)).unwrap();
    }
    let (_, many) = visited(|| create_for_task(&mut txn, &mut ctx, &wanted(&subnet)).unwrap());
    assert_eq!(few, many);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn no_address_is_anothers_before_its_interface_is_removed(steps in prop::collection::vec((0u8..4, 0usize..12), 0..60)) {
        let (mut txn, mut ctx) = start();
        let subnet = small(&mut txn, &mut ctx, "10.0.0.0/28");
        let space = space_of(&subnet.key);
        let mut held: Vec<(String, Ipv4Addr)> = vec![];
        for (what, which) in steps {
            if what < 3 {
                let made = create_for_task(&mut txn, &mut ctx, &wanted(&subnet));
                prop_assert_eq!(made.is_ok(), held.len() < 11);
                if let Ok(made) = made {
                    let address = made.addresses[0];
                    prop_assert!(held.iter().all(|other| other.1 != address));
                    held.push((made.key.id, address));
                }
            } else if which < held.len() {
                let (id, _) = held.remove(which);
                let other = Scope::new("111111111111", "us-east-1");
                remove(&mut txn, &other, &id);
                prop_assert!(get(&txn, &id).is_some(), "of another account it is not");
                remove(&mut txn, &ctx.scope, &id);
            }
            for (id, address) in &held {
                let key = AddressKey { space: space.clone(), address: *address };
                prop_assert_eq!(&txn.get(&ADDRESSES, &key).unwrap().owner, id);
            }
            prop_assert_eq!(txn.count(&INTERFACES), held.len());
            prop_assert_eq!(txn.count(&ADDRESSES), held.len());
        }
    }
}

#[test]
fn nothing_is_left_of_an_interface_that_is_removed() {
    let (mut txn, mut ctx) = start();
    let subnet = txn.scan(&SUBNETS).next().unwrap().clone();
    let want = Wanted {
        host: None,
        assign_public_ip: true,
        tags: BTreeMap::from([("aws:ecs:clusterName".to_owned(), "c".to_owned())]),
        ..wanted(&subnet)
    };
    let made = create_for_task(&mut txn, &mut ctx, &want).unwrap();
    assert_eq!(made.public.unwrap().address, Ipv4Addr::new(100, 64, 0, 1));
    assert!(place(&mut txn, &made.key.id, "h1") && attached(&mut txn, &ctx, &made.key.id));
    let key = ResourceKey::new(&ctx.scope, &made.key.id);
    let placed = txn.get(&INTERFACES, &key).unwrap();
    assert!(placed.attachment.as_ref().unwrap().is_attached);
    assert_eq!(txn.count(&ADDRESSES), 2);
    remove(&mut txn, &ctx.scope, &made.key.id);
    assert_eq!(txn.count(&ADDRESSES), 0);
    assert_eq!(tags::of(&txn, &key), BTreeMap::new());
}
