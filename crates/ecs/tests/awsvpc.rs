//! Tasks with an interface of their own: made with the task, told to its host, gone with the task.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use aws_api::Stored;
use aws_api::ecs::*;
use aws_types::AwsError;
use ec2::records::address::{ALLOCATIONS, AllocationRecord};
use ec2::records::held::HELD;
use ec2::records::vpc::CidrAssociation;
use ec2::records::{GROUPS, INTERFACES, ResourceKey, SUBNETS, SubnetRecord};
use ecs::host_rows::{self, Told};
use ecs::instance::life;
use ecs::ops;
use ecs::records::{InstanceKey, SERVICE_EVENTS, SERVICE_REVISIONS, TASKS, TaskKey};
use ecs::task::reference;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use store::{Schema, World};
use support::services::Settings;
use support::{House, container, registration, run, task_report};

/// A house whose transactions end as the server's do, with the default VPC.
fn house() -> House {
    let tables = [
        ecs::records::tables(),
        events::records::tables(),
        ec2::records::tables(),
        servicediscovery::records::tables(),
    ]
    .concat();
    let schema = Schema::new(&tables).with_finish(ecs::finish::finish);
    let mut house = House {
        world: World::empty(&schema),
        ..House::new()
    };
    house.change(ec2::defaults::ensure);
    house
}

fn host_in(house: &mut House, name: &str, zone: &str) -> InstanceKey {
    host_with(house, name, zone, &[])
}

/// With these attributes besides.
fn host_with(
    house: &mut House,
    name: &str,
    zone: &str,
    more: &[(&str, Option<&str>)],
) -> InstanceKey {
    let mut input = registration(4096, 8192);
    let attributes = input.attributes.as_mut().unwrap();
    let attribute = |name: &str, value: Option<&str>| Attribute {
        name: Some(name.into()),
        value: value.map(Into::into),
        ..Attribute::default()
    };
    attributes.push(attribute("ecs.availability-zone", Some(zone)));
    attributes.push(attribute("ecs.capability.task-eni", None));
    attributes.extend(more.iter().map(|(name, value)| attribute(name, *value)));
    let key = house.register_with(name, input);
    let versions = life::SessionVersions::default();
    assert!(house.change(|txn, _| life::connected(txn, &key, &versions)));
    key
}

fn define(house: &mut House) -> String {
    house.define_with(RegisterTaskDefinitionRequest {
        family: Some("web".into()),
        network_mode: Some("awsvpc".into()),
        container_definitions: Some(vec![ContainerDefinition {
            port_mappings: Some(vec![support::port(80, 80)]),
            ..container("app", 64, 64)
        }]),
        ..RegisterTaskDefinitionRequest::default()
    })
}

fn subnet_in(house: &House, zone: &str) -> String {
    let mut all = house.world.scan(&SUBNETS);
    let found = all.find(|subnet| subnet.zone == zone).unwrap();
    found.key.id.clone()
}

fn configuration(subnets: &[&str]) -> NetworkConfiguration {
    NetworkConfiguration {
        awsvpc_configuration: Some(AwsVpcConfiguration {
            subnets: Some(subnets.iter().map(|id| (*id).to_owned()).collect()),
            ..AwsVpcConfiguration::default()
        }),
    }
}

fn start(
    house: &mut House,
    definition: &str,
    count: i32,
    network: NetworkConfiguration,
) -> Result<RunTaskResponse, AwsError> {
    house.run(RunTaskRequest {
        network_configuration: Some(network),
        ..run(definition, count)
    })
}

fn keys(house: &House, answer: &RunTaskResponse) -> Vec<TaskKey> {
    let tasks = answer.tasks.iter().flatten();
    let arns = tasks.map(|task| task.task_arn.clone().unwrap());
    arns.map(|arn| reference::task_arn(&house.ctx.scope, &arn).unwrap())
        .collect()
}

fn detail(task: &Task, name: &str) -> Option<String> {
    let attachment = task.attachments.as_ref()?.first()?;
    let mut details = attachment.details.iter().flatten();
    let found = details.find(|one| one.name.as_deref() == Some(name))?;
    found.value.clone()
}

#[test]
fn a_task_has_its_interface_from_the_call_to_its_end() {
    let mut house = house();
    let host = host_in(&mut house, "a", "us-east-1a");
    let (definition, subnet) = (define(&mut house), subnet_in(&house, "us-east-1a"));
    let answer = start(&mut house, &definition, 2, configuration(&[&subnet])).unwrap();
    assert_eq!(answer.failures, Some(vec![]), "two tasks may have one port");
    let first = &answer.tasks.as_ref().unwrap()[0];
    assert_eq!(first.last_status.as_deref(), Some("PROVISIONING"));
    assert_eq!(detail(first, "subnetId").as_ref(), Some(&subnet));
    assert_eq!(detail(first, "networkInterfaceId"), None);
    let tasks = keys(&house, &answer);
    let payloads = house.deliver(&host);
    let of_first = payloads.iter().find(|one| one.arn == first.task_arn);
    let payload = of_first.unwrap();
    let eni = payload.elastic_network_interfaces.as_ref().unwrap()[0].clone();
    assert_eq!(payload.network_mode.as_deref(), Some("awsvpc"));
    assert!(eni.subnet_gateway_ipv4_address.unwrap().ends_with("/20"));
    house.report(SubmitTaskStateChangeRequest {
        attachments: Some(vec![AttachmentStateChange {
            attachment_arn: eni.attachment_arn,
            status: Some("ATTACHED".into()),
        }]),
        ..task_report(&tasks[0], "PENDING", vec![])
    });
    let shown = house.describe(&tasks[0]);
    assert_eq!(shown.last_status.as_deref(), Some("PENDING"));
    let attachment = &shown.attachments.as_ref().unwrap()[0];
    assert_eq!(attachment.status.as_deref(), Some("ATTACHED"));
    let address = detail(&shown, "privateIPv4Address").unwrap();
    let name = format!("ip-{}.ec2.internal", address.replace('.', "-"));
    assert_eq!(detail(&shown, "privateDnsName"), Some(name));
    let interface = &shown.containers.as_ref().unwrap()[0].network_interfaces;
    assert_eq!(
        interface.as_ref().unwrap()[0].private_ipv4_address,
        Some(address)
    );
    assert_eq!(house.world.count(&INTERFACES), 2);
    // Asked to stop it still has its address; when its host has said STOPPED it has none.
    house.stop(&tasks[0].arn(), None).unwrap();
    assert_eq!(house.world.count(&INTERFACES), 2);
    house.report_stopped(&tasks[0], &["app"], 0);
    assert_eq!(house.world.count(&INTERFACES), 1);
    let shown = house.describe(&tasks[0]);
    let attachment = &shown.attachments.as_ref().unwrap()[0];
    assert_eq!(attachment.status.as_deref(), Some("DELETED"));
    assert!(detail(&shown, "networkInterfaceId").is_some());
}

#[test]
fn a_lost_hosts_addresses_are_kept_until_it_confirms_or_is_given_up() {
    let mut house = house();
    let host = host_in(&mut house, "a", "us-east-1a");
    let (definition, subnet) = (define(&mut house), subnet_in(&house, "us-east-1a"));
    let answer = start(&mut house, &definition, 1, configuration(&[&subnet])).unwrap();
    let task = keys(&house, &answer).remove(0);
    house.change(|txn, ctx| life::disconnected(txn, ctx, &host));
    let step = house.change(|txn, ctx| life::lost(txn, ctx, &host, 32));
    assert_eq!(step, life::Step::Done);
    let shown = house.describe(&task);
    assert_eq!(shown.last_status.as_deref(), Some("STOPPED"));
    assert_eq!(
        house.world.count(&INTERFACES),
        1,
        "the host may still run it"
    );
    let mut deregister = |force| {
        let input = DeregisterContainerInstanceRequest {
            container_instance: Some(host.arn()),
            force,
            ..Default::default()
        };
        let done = house.write(|txn, ctx| {
            ops::deregister_container_instance::deregister_container_instance(txn, ctx, &input)
        });
        (done.map(drop), house.world.count(&INTERFACES))
    };
    let (refused, count) = deregister(None);
    assert_eq!(
        refused.unwrap_err().message(),
        "Found running tasks on the instance."
    );
    assert_eq!(count, 1);
    let (done, count) = deregister(Some(true));
    done.unwrap();
    assert_eq!(count, 0);
}

#[test]
fn an_elastic_address_is_held_for_machines_that_are_registered_and_have_not_applied() {
    let mut house = house();
    let (one, other) = (
        host_in(&mut house, "a", "us-east-1a"),
        host_in(&mut house, "b", "us-east-1b"),
    );
    let definition = define(&mut house);
    for zone in ["us-east-1a", "us-east-1b"] {
        let subnet = subnet_in(&house, zone);
        let answer = start(&mut house, &definition, 1, configuration(&[&subnet])).unwrap();
        assert_eq!(answer.failures.unwrap(), []);
    }
    let subnet = house.world.scan(&SUBNETS).next().unwrap().clone();
    let gateway = house.change(|txn, ctx| {
        let key = ResourceKey::fresh(ctx, "eipalloc");
        let allocation = AllocationRecord {
            address: ec2::address::take_public(txn, &key.id).unwrap(),
            key,
            interface: None,
            association: None,
        };
        txn.put(&ALLOCATIONS, allocation.clone());
        let wanted = ec2::nat::Wanted {
            subnet,
            allocation: Some(allocation.into()),
            private: None,
        };
        ec2::nat::create(txn, ctx, &wanted).unwrap()
    });
    house.change(|txn, ctx| ec2::nat::delete(txn, ctx, &gateway.key));
    let held = |house: &House| -> BTreeSet<String> {
        let all = house.world.scan(&HELD);
        all.flat_map(|held| held.hosts.clone()).collect()
    };
    assert_eq!(held(&house), BTreeSet::from([one.arn(), other.arn()]));
    let mut told = Told::default();
    told.state(host_rows::wanted(&house.world, &one.arn()));
    assert!(told.confirmed().is_empty());
    told.applied(1);
    let (confirmed, names) = (
        told.confirmed(),
        host_rows::registrations(&house.world, &one.arn()),
    );
    house.change(|txn, _| ec2::held::confirm(txn, &names, &confirmed));
    assert_eq!(held(&house), BTreeSet::from([other.arn()]));
    house.change(|txn, ctx| life::deregister(txn, ctx, &other));
    assert_eq!(house.world.count(&HELD), 0);
}

#[test]
fn a_task_goes_to_a_zone_of_its_subnets_and_into_the_emptiest_of_them() {
    let mut house = house();
    host_in(&mut house, "a", "us-east-1a");
    let definition = define(&mut house);
    let elsewhere = subnet_in(&house, "us-east-1b");
    let answer = start(&mut house, &definition, 1, configuration(&[&elsewhere])).unwrap();
    let failures = answer.failures.unwrap();
    assert_eq!(failures[0].reason.as_deref(), Some("LOCATION"));
    host_in(&mut house, "b", "us-east-1b");
    let here = subnet_in(&house, "us-east-1a");
    let answer = start(
        &mut house,
        &definition,
        4,
        configuration(&[&here, &elsewhere]),
    )
    .unwrap();
    let mut zones = BTreeSet::new();
    for task in answer.tasks.iter().flatten() {
        let subnet = detail(task, "subnetId").unwrap();
        let zone = task.availability_zone.clone().unwrap();
        assert_eq!(subnet_in(&house, &zone), subnet);
        zones.insert(zone);
    }
    assert_eq!(zones.len(), 2);
}

#[test]
fn a_subnet_gives_each_address_once_and_then_none() {
    let mut house = house();
    host_in(&mut house, "a", "us-east-1a");
    let definition = define(&mut house);
    let small = house.change(|txn, ctx| {
        let like = txn.scan(&SUBNETS).next().unwrap().as_ref().clone();
        let subnet = SubnetRecord {
            key: ec2::records::ResourceKey::new(&ctx.scope, "subnet-small"),
            zone: "us-east-1a".into(),
            cidr: "172.31.128.0/28".parse().unwrap(),
            ..like
        };
        txn.put(&SUBNETS, subnet);
        "subnet-small"
    });
    let mut addresses: BTreeSet<Ipv4Addr> = BTreeSet::new();
    for _ in 0..11 {
        let answer = start(&mut house, &definition, 1, configuration(&[small])).unwrap();
        assert_eq!(answer.failures, Some(vec![]));
    }
    addresses.extend(house.world.scan(&INTERFACES).map(|one| one.address()));
    assert_eq!(addresses.len(), 11, "16 but for the five that AWS keeps");
    let before = house.world.count(&INTERFACES);
    let answer = start(&mut house, &definition, 1, configuration(&[small])).unwrap();
    let failure = &answer.failures.unwrap()[0];
    assert_eq!(failure.reason.as_deref(), Some("RESOURCE:ENI"));
    assert_eq!(house.world.count(&INTERFACES), before);
}

/// The subnet gives an IPv6 address to each interface.
fn with_ipv6(house: &mut House, subnet: &str) {
    let association = CidrAssociation {
        id: "subnet-cidr-assoc-1".into(),
        cidr: "fd10::/64".parse().unwrap(),
    };
    house.change(|txn, ctx| {
        let key = ResourceKey::new(&ctx.scope, subnet);
        txn.update(&SUBNETS, &key, |record| {
            record.ipv6 = Some(association);
            record.assign_ipv6 = true;
        })
    });
}

fn set_dual_stack(house: &mut House, value: &str, principal: &str) {
    let input = PutAccountSettingRequest {
        name: Some("dualStackIPv6".into()),
        value: Some(value.into()),
        principal_arn: Some(principal.into()),
    };
    house
        .write(|txn, ctx| ops::put_account_setting::put_account_setting(txn, ctx, &input))
        .unwrap();
}

/// Of the interfaces that are not known yet, whether each has an IPv6 address.
fn have_ipv6(house: &House, known: &BTreeSet<String>) -> Vec<bool> {
    let all = house.world.scan(&INTERFACES);
    let new = all.filter(|one| !known.contains(one.id()));
    new.map(|one| !one.ipv6_addresses.is_empty()).collect()
}

fn interfaces(house: &House) -> BTreeSet<String> {
    let all = house.world.scan(&INTERFACES);
    all.map(|one| one.id().to_owned()).collect()
}

#[test]
fn the_account_setting_of_who_starts_a_task_decides_on_its_ipv6_address() {
    let mut house = house();
    host_in(&mut house, "a", "us-east-1a");
    let (definition, subnet) = (define(&mut house), subnet_in(&house, "us-east-1a"));
    with_ipv6(&mut house, &subnet);
    let root = house.ctx.caller.clone();
    let ann = "arn:aws:iam::000000000000:user/ann".to_owned();
    // What root set, then what Ann set, and whether a task of each gets an address.
    for (setting_of_root, of_ann, expected) in [
        (None, None, [true, true]),
        (Some("disabled"), None, [false, false]),
        (None, Some("enabled"), [false, true]),
        (Some("enabled"), Some("disabled"), [true, false]),
    ] {
        house.ctx.caller = root.clone();
        for (value, principal) in [(setting_of_root, &root.arn), (of_ann, &ann)] {
            if let Some(value) = value {
                set_dual_stack(&mut house, value, principal);
            }
        }
        for (arn, expected) in [&root.arn, &ann].into_iter().zip(expected) {
            house.ctx.caller.arn.clone_from(arn);
            let known = interfaces(&house);
            let answer = start(&mut house, &definition, 1, configuration(&[&subnet])).unwrap();
            assert_eq!(have_ipv6(&house, &known), [expected], "{arn}");
            let task = house.world.get(&TASKS, &keys(&house, &answer)[0]).unwrap();
            let attachment = task.attachment.as_ref().unwrap();
            assert_eq!(attachment.ipv6_address.is_some(), expected, "{arn}");
        }
    }
}

#[test]
fn a_services_tasks_have_an_ipv6_address_by_the_setting_of_who_made_it() {
    for (value, expected) in [("enabled", true), ("disabled", false)] {
        let mut house = house();
        host_in(&mut house, "a", "us-east-1a");
        let (definition, subnet) = (define(&mut house), subnet_in(&house, "us-east-1a"));
        with_ipv6(&mut house, &subnet);
        let root = house.ctx.caller.arn.clone();
        let ann = "arn:aws:iam::000000000000:user/ann";
        set_dual_stack(&mut house, "disabled", &root);
        set_dual_stack(&mut house, value, ann);
        house.ctx.caller.arn = ann.into();
        let create = CreateServiceRequest {
            service_name: Some("web".into()),
            task_definition: Some(definition),
            desired_count: Some(1),
            network_configuration: Some(configuration(&[&subnet])),
            ..CreateServiceRequest::default()
        };
        house
            .write(|txn, ctx| ops::create_service::create_service(txn, ctx, &create))
            .unwrap();
        house.ctx.caller.arn = root;
        let key = house.service_key("web");
        house.settle(&key);
        assert_eq!(have_ipv6(&house, &BTreeSet::new()), [expected]);
    }
}

#[test]
fn what_cannot_be_has_awss_words() {
    let mut house = house();
    host_in(&mut house, "a", "us-east-1a");
    let (definition, subnet) = (define(&mut house), subnet_in(&house, "us-east-1a"));
    let with = |groups: &[&str], public: Option<&str>| {
        let mut network = configuration(&[&subnet]);
        let of = network.awsvpc_configuration.as_mut().unwrap();
        of.security_groups = Some(groups.iter().map(|id| (*id).to_owned()).collect());
        of.assign_public_ip = public.map(Into::into);
        network
    };
    let group = house.world.scan(&GROUPS).next().unwrap().key.id.clone();
    house.change(|txn, ctx| {
        let elsewhere = SubnetRecord {
            key: ResourceKey::new(&ctx.scope, "subnet-elsewhere"),
            vpc: "vpc-other".into(),
            ..txn.scan(&SUBNETS).next().unwrap().as_ref().clone()
        };
        txn.put(&SUBNETS, elsewhere);
    });
    let mut of_two = with(&[group.as_str()], None);
    of_two.awsvpc_configuration.as_mut().unwrap().subnets = Some(vec!["subnet-elsewhere".into()]);
    for (network, text) in [
        (
            configuration(&[subnet.as_str(); 17]),
            "subnets can have at most 16 items.",
        ),
        (
            configuration(&[&subnet, "subnet-elsewhere"]),
            "All subnets must belong to the same VPC.",
        ),
        (
            of_two,
            "Security Groups and Subnets must belong to the same VPC.",
        ),
        (
            with(&[], Some("enabled")),
            "assignPublicIp should be one of [ENABLED,DISABLED]",
        ),
        (configuration(&[]), "subnets can not be empty."),
        (
            configuration(&["subnet-none"]),
            "Error retrieving subnet information for [subnet-none]: The subnet ID 'subnet-none' does not exist (ErrorCode: InvalidSubnetID.NotFound)",
        ),
        (
            with(&["sg-none"], None),
            "Error retrieving security group information for [sg-none]: The security group 'sg-none' does not exist (ErrorCode: InvalidGroup.NotFound)",
        ),
        (
            with(&[group.as_str(); 6], None),
            "securityGroups can have at most 5 items.",
        ),
        (
            with(&[], Some("ENABLED")),
            "Assign public IP is not supported for this launch type.",
        ),
    ] {
        let error = start(&mut house, &definition, 1, network).unwrap_err();
        assert_eq!(error.code().name, "InvalidParameterException");
        assert_eq!(error.message(), text);
    }
    let error = house.run(run(&definition, 1)).unwrap_err();
    assert_eq!(
        error.message(),
        "Network Configuration must be provided when networkMode 'awsvpc' is specified."
    );
    assert_eq!(house.world.count(&INTERFACES), 0);
}

#[test]
fn ec2_shows_an_interface_as_attached_once_its_host_has_it() {
    let mut house = house();
    host_in(&mut house, "a", "us-east-1a");
    let (definition, subnet) = (define(&mut house), subnet_in(&house, "us-east-1a"));
    let answer = start(&mut house, &definition, 1, configuration(&[&subnet])).unwrap();
    let task = keys(&house, &answer).remove(0);
    let is_attached = |house: &House| {
        let one = house.world.scan(&INTERFACES).next().unwrap();
        one.attachment.as_ref().unwrap().is_attached
    };
    assert!(!is_attached(&house));
    let shown = house.describe(&task);
    let id = shown.attachments.unwrap()[0].id.clone().unwrap();
    house.report(SubmitTaskStateChangeRequest {
        attachments: Some(vec![AttachmentStateChange {
            attachment_arn: Some(ecs::task::network::arn(&house.ctx.scope, &id)),
            status: Some("ATTACHED".into()),
        }]),
        ..task_report(&task, "PENDING", vec![])
    });
    assert!(is_attached(&house));
}

#[test]
fn a_service_whose_subnet_is_gone_says_why_it_starts_nothing() {
    let mut house = house();
    host_in(&mut house, "a", "us-east-1a");
    let (definition, subnet) = (define(&mut house), subnet_in(&house, "us-east-1a"));
    let create = CreateServiceRequest {
        service_name: Some("web".into()),
        task_definition: Some(definition),
        desired_count: Some(1),
        network_configuration: Some(configuration(&[&subnet])),
        ..CreateServiceRequest::default()
    };
    house
        .write(|txn, ctx| ecs::ops::create_service::create_service(txn, ctx, &create))
        .unwrap();
    house.change(|txn, ctx| txn.delete(&SUBNETS, &ResourceKey::new(&ctx.scope, &subnet)));
    let key = house.service_key("web");
    let outcome = house.step(&key);
    assert!(!outcome.has_more && outcome.wake_at.is_some());
    let described = ecs::ops::describe_services::describe_services(
        &house.world.clone(),
        &mut house.ctx,
        &DescribeServicesRequest {
            services: Some(vec!["web".into()]),
            ..DescribeServicesRequest::default()
        },
    );
    let service = described.unwrap().services.unwrap().remove(0);
    let said = service.events.unwrap()[0].message.clone().unwrap();
    let reason = format!("The subnet ID '{subnet}' does not exist");
    assert!(said.contains(&reason), "{said}");
    assert_eq!(house.world.count(&INTERFACES), 0);
}

const TYPE: &str = "ecs.instance-type";
const TRUNK: &str = "ecs.awsvpc-trunk-id";
const ABLE: (&str, Option<&str>) = ("ecs.capability.task-eni-trunking", None);

fn trunk_of(house: &mut House, key: &InstanceKey) -> Option<String> {
    let attributes = house.instance(key).attributes.unwrap();
    let mut found = attributes.into_iter();
    found.find(|one| one.name.as_deref() == Some(TRUNK))?.value
}

fn trunking(house: &mut House, value: &str) {
    let input = PutAccountSettingDefaultRequest {
        name: Some("awsvpcTrunking".into()),
        value: Some(value.into()),
    };
    let put = ops::put_account_setting_default::put_account_setting_default;
    house.write(|txn, ctx| put(txn, ctx, &input)).unwrap();
}

/// How many of 24 tasks find room, and the reasons of the others.
fn how_many(house: &mut House) -> (usize, BTreeSet<String>) {
    let (definition, subnet) = (define(house), subnet_in(house, "us-east-1a"));
    let network = configuration(&[&subnet]);
    let mut reasons = BTreeSet::new();
    let mut count = 0;
    for _ in 0..3 {
        let answer = start(house, &definition, 8, network.clone()).unwrap();
        count += answer.tasks.unwrap().len();
        let failures = answer.failures.unwrap().into_iter();
        reasons.extend(failures.filter_map(|failure| failure.reason));
    }
    (count, reasons)
}

#[test]
fn an_instance_takes_as_many_interfaces_as_its_type_has() {
    let eni = || BTreeSet::from(["RESOURCE:ENI".to_owned()]);
    for (attributes, setting, expected) in [
        (vec![], "enabled", 24),
        (vec![(TYPE, Some("c5.large"))], "disabled", 2),
        (vec![(TYPE, Some("c5.large"))], "enabled", 2),
        (vec![(TYPE, Some("c5.large")), ABLE], "disabled", 2),
        (vec![(TYPE, Some("c5.large")), ABLE], "enabled", 10),
        (vec![(TYPE, Some("t3.xlarge")), ABLE], "enabled", 3),
        (vec![("longshore.max-interfaces", Some("5"))], "enabled", 4),
        (
            vec![
                (TYPE, Some("c5.large")),
                ("longshore.max-interfaces", Some("5")),
            ],
            "disabled",
            4,
        ),
    ] {
        let mut house = house();
        trunking(&mut house, setting);
        let key = host_with(&mut house, "a", "us-east-1a", &attributes);
        let reasons = if expected == 24 {
            BTreeSet::new()
        } else {
            eni()
        };
        assert_eq!(
            how_many(&mut house),
            (expected, reasons),
            "{attributes:?} {setting}"
        );
        assert_eq!(trunk_of(&mut house, &key).is_some(), expected == 10);
    }
}

#[test]
fn a_place_comes_free_with_its_task_and_only_interfaces_count() {
    let mut house = house();
    let key = host_with(&mut house, "a", "us-east-1a", &[(TYPE, Some("c5.large"))]);
    let (definition, subnet) = (define(&mut house), subnet_in(&house, "us-east-1a"));
    let two = start(&mut house, &definition, 2, configuration(&[&subnet])).unwrap();
    let tasks = keys(&house, &two);
    house.define("bare", vec![container("app", 64, 64)]);
    house.run_all("bare", 5);
    let by_name = StartTaskRequest {
        container_instances: Some(vec![key.id.0.clone()]),
        task_definition: Some(definition.clone()),
        network_configuration: Some(configuration(&[&subnet])),
        ..StartTaskRequest::default()
    };
    let start_there = |house: &mut House| {
        let answer = house.write(|txn, ctx| ops::start_task::start_task(txn, ctx, &by_name));
        let answer = answer.unwrap();
        let failure = answer.failures.unwrap().pop();
        failure.map(|failure| failure.reason.unwrap())
    };
    assert_eq!(start_there(&mut house).as_deref(), Some("RESOURCE:ENI"));
    house.deliver(&key);
    house.report_stopped(&tasks[0], &["app"], 0);
    assert_eq!(start_there(&mut house), None);
    assert_eq!(start_there(&mut house).as_deref(), Some("RESOURCE:ENI"));
}

#[test]
fn a_trunk_stays_and_is_nobodys_own_invention() {
    let mut house = house();
    trunking(&mut house, "enabled");
    let own = [(TYPE, Some("m5.xlarge")), ABLE, (TRUNK, Some("mine"))];
    let key = host_with(&mut house, "a", "us-east-1a", &own);
    let trunk = trunk_of(&mut house, &key).unwrap();
    assert_eq!(trunk.len(), 36);
    trunking(&mut house, "disabled");
    assert_eq!(host_with(&mut house, "a", "us-east-1a", &own), key);
    assert_eq!(trunk_of(&mut house, &key), Some(trunk));
    assert_eq!(how_many(&mut house).0, 20);
    let other = host_with(&mut house, "b", "us-east-1a", &own);
    assert_eq!(trunk_of(&mut house, &other), None);
}

/// The subnets of a service's tasks, as its revision has them.
fn place_in(house: &mut House, subnets: &[&str]) {
    let of = house
        .world
        .scan(&SERVICE_REVISIONS)
        .next()
        .unwrap()
        .key
        .clone();
    let network = Some(Stored(configuration(subnets)));
    house.change(|txn, _| {
        txn.update(&SERVICE_REVISIONS, &of, |one| {
            one.workload.network = network;
        })
    });
}

#[test]
fn a_service_whose_subnet_is_gone_says_so_as_an_error_of_its_configuration() {
    let mut house = house();
    host_in(&mut house, "a", "us-east-1a");
    define(&mut house);
    let subnet = subnet_in(&house, "us-east-1a");
    let settings = Settings {
        desired: 1,
        ..Settings::default()
    };
    let key = house.service("web", "web", settings);
    place_in(&mut house, &["subnet-0"]);
    for _ in 0..4 {
        house.settle(&key);
        house.pass(15);
    }
    let why = "Error retrieving subnet information for [subnet-0]: The subnet ID 'subnet-0' does not \
               exist (ErrorCode: InvalidSubnetID.NotFound)";
    let text = format!("(service web) failed to launch a task with (error {why}).");
    assert_eq!(house.events(&key), [text], "once, and nothing of instances");
    let event = house.world.scan(&SERVICE_EVENTS).next().unwrap();
    let action = event.action.clone().unwrap();
    assert_eq!(
        (
            action.kind(),
            action.name.as_str(),
            action.reason.as_deref()
        ),
        ("ERROR", "SERVICE_TASK_CONFIGURATION_FAILURE", Some(why))
    );
    place_in(&mut house, &[&subnet]);
    house.settle(&key);
    assert_eq!(house.kept(&key).len(), 1);
    assert!(house.events(&key)[0].contains("has started 1 tasks"));
    assert!(house.record(&key).told.is_empty() && !house.record(&key).lacks_room);
}
