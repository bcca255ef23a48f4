//! Service Connect: what may be asked for, which endpoints a task reaches, and which tasks are behind them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use aws_api::Stored;
use aws_api::agent::host_sync::EndpointRow;
use aws_api::ecs::*;
use aws_types::AwsError;
use ecs::connect::{explain, rows, task};
use ecs::ops;
use ecs::records::{ENDPOINTS, SERVICES, ServiceKey, ServiceStatus, TASKS, TaskKey};
use ecs::service::retention;
use ecs::task::status::DesiredStatus;
use proptest::prelude::*;
use serde_json::{Value, json};
use servicediscovery::records as map;
use std::collections::BTreeSet;
use store::{Schema, World};
use support::{House, container};

const SHOP: &str = "shop";

/// A house whose transactions end as the server's do, with a namespace `shop` and two hosts.
fn house() -> House {
    let tables = [
        ecs::records::tables(),
        events::records::tables(),
        ec2::records::tables(),
        map::tables(),
    ]
    .concat();
    let schema = Schema::new(&tables).with_finish(ecs::finish::finish);
    let mut house = House {
        world: World::empty(&schema),
        ..House::new()
    };
    for name in ["a", "b"] {
        house.host(name, 4096, 8192);
    }
    house.able_to_check_health();
    house.able_to(&[task::CAPABILITY]);
    update_default(&mut house, SHOP).unwrap();
    house
}

fn update_default(house: &mut House, namespace: &str) -> Result<Option<String>, AwsError> {
    let input = UpdateClusterRequest {
        cluster: Some("default".into()),
        service_connect_defaults: Some(ClusterServiceConnectDefaultsRequest {
            namespace: Some(namespace.into()),
        }),
        ..UpdateClusterRequest::default()
    };
    let answer = house.write(|txn, ctx| ops::update_cluster::update_cluster(txn, ctx, &input))?;
    let shown = answer.cluster.unwrap().service_connect_defaults;
    Ok(shown.and_then(|shown| shown.namespace))
}

fn read<T: for<'de> serde::Deserialize<'de>>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// A definition whose container `app` has these port mappings.
fn define(house: &mut House, family: &str, ports: Value) -> String {
    let ports: Vec<Stored<PortMapping>> = read(ports);
    let app = ContainerDefinition {
        port_mappings: Some(ports.into_iter().map(|one| one.0).collect()),
        ..container("app", 64, 64)
    };
    house.define(family, vec![app])
}

fn web(house: &mut House) -> String {
    let ports = json!([
        {"name": "api", "containerPort": 80, "appProtocol": "http"},
        {"name": "raw", "containerPort": 81},
        {"name": "dns", "containerPort": 53, "protocol": "udp"},
    ]);
    define(house, "web", ports)
}

fn configuration(value: Value) -> ServiceConnectConfiguration {
    read::<Stored<_>>(value).0
}

fn create(
    house: &mut House,
    name: &str,
    definition: &str,
    connect: Value,
) -> Result<ServiceKey, AwsError> {
    let input = CreateServiceRequest {
        service_name: Some(name.into()),
        task_definition: Some(definition.into()),
        desired_count: Some(1),
        service_connect_configuration: Some(configuration(connect)),
        ..CreateServiceRequest::default()
    };
    house.write(|txn, ctx| ops::create_service::create_service(txn, ctx, &input))?;
    Ok(house.service_key(name))
}

fn update(house: &mut House, input: UpdateServiceRequest) -> Result<Service, AwsError> {
    let answer = house.write(|txn, ctx| ops::update_service::update_service(txn, ctx, &input));
    Ok(answer?.service.unwrap())
}

fn exposes(port_name: &str, dns_name: &str, port: u16) -> Value {
    json!({"enabled": true, "services": [
        {"portName": port_name, "clientAliases": [{"dnsName": dns_name, "port": port}]}
    ]})
}

/// A client whose proxy has an access log.
fn logged(access: Value) -> Value {
    let options = json!({
        "awslogs-group": "/sc", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "p",
    });
    json!({"enabled": true, "accessLogConfiguration": access,
        "logConfiguration": {"logDriver": "awslogs", "options": options}})
}

fn client() -> Value {
    json!({"enabled": true})
}

/// Names and ports that the one task of a service was sent.
fn reached(house: &House, key: &ServiceKey) -> Vec<(String, String, i64)> {
    let live = house.live(key);
    let sent = task::payload(&house.world, &live[0]).unwrap();
    let listeners = sent.listeners.unwrap().into_iter();
    let shown = listeners.map(|one| (one.name.unwrap(), one.address.unwrap(), one.port.unwrap()));
    shown.collect()
}

fn rows_of(house: &House, key: &ServiceKey) -> Vec<EndpointRow> {
    let host = house.live(key)[0].instance_key().arn();
    rows::rows(&house.world, [host.as_str()])
}

/// The one task of a service runs, and its port 80 is bound.
fn run(house: &mut House, key: &ServiceKey) -> TaskKey {
    let running = house.live(key)[0].key.clone();
    let change = ContainerStateChange {
        network_bindings: Some(vec![NetworkBinding {
            container_port: Some(80),
            host_port: Some(32_768),
            ..NetworkBinding::default()
        }]),
        ..support::container_change("app", "RUNNING", None, None)
    };
    house.report(support::task_report(&running, "RUNNING", vec![change]));
    running
}

fn namespace(house: &House) -> map::NamespaceRecord {
    house
        .world
        .scan(&map::NAMESPACES)
        .next()
        .unwrap()
        .as_ref()
        .clone()
}

#[test]
fn a_clusters_default_is_made_where_it_is_missing_and_removed_by_an_empty_name() {
    let mut house = house();
    let made = namespace(&house);
    assert_eq!((made.name.as_str(), &made.zone), (SHOP, &None));
    let arn = made.key.arn();
    assert_eq!(update_default(&mut house, SHOP).unwrap(), Some(arn.clone()));
    assert_eq!(update_default(&mut house, &arn).unwrap(), Some(arn.clone()));
    assert_eq!(house.world.count(&map::NAMESPACES), 1);
    let missing = format!("{arn}x");
    let error = update_default(&mut house, &missing).unwrap_err();
    assert_eq!(error.code().name, "NamespaceNotFoundException");
    let error = update_default(&mut house, "a/b").unwrap_err();
    assert_eq!(error.code().name, "InvalidParameterException");
    assert_eq!(update_default(&mut house, "").unwrap(), None);
    assert_eq!(
        house.world.count(&map::NAMESPACES),
        1,
        "it stays in Cloud Map"
    );
    let definition = web(&mut house);
    let error = create(&mut house, "web", &definition, client()).unwrap_err();
    assert_eq!(error.code().name, "InvalidParameterException");
}

#[test]
fn a_client_reaches_what_was_there_when_it_was_deployed() {
    let mut house = house();
    let definition = web(&mut house);
    let early = create(&mut house, "early", &definition, client()).unwrap();
    let server = create(&mut house, "web", &definition, exposes("api", "api", 8080)).unwrap();
    let late = create(&mut house, "late", &definition, client()).unwrap();
    for key in [&early, &server, &late] {
        house.settle(key);
    }
    let api = ("api".to_owned(), "127.255.0.1".to_owned(), 8080);
    assert_eq!(reached(&house, &early), []);
    assert_eq!(reached(&house, &server), std::slice::from_ref(&api));
    assert_eq!(reached(&house, &late), std::slice::from_ref(&api));
    let update_of = |service: &str, force: bool| UpdateServiceRequest {
        service: Some(service.into()),
        desired_count: Some(1),
        force_new_deployment: Some(force),
        ..UpdateServiceRequest::default()
    };
    let unchanged = update(&mut house, update_of("early", false)).unwrap();
    assert_eq!(unchanged.deployments.unwrap().len(), 1);
    update(&mut house, update_of("early", true)).unwrap();
    house.until_steady(&early);
    assert_eq!(reached(&house, &early), [api]);
}

#[test]
fn an_access_log_goes_where_the_proxys_log_configuration_says() {
    let mut house = house();
    let definition = web(&mut house);
    let asked = json!({"format": "JSON", "includeQueryParameters": "ENABLED"});
    let key = create(&mut house, "logs", &definition, logged(asked)).unwrap();
    house.settle(&key);
    let task = house.live(&key)[0].clone();
    let log = task::payload(&house.world, &task)
        .unwrap()
        .access_log
        .unwrap();
    assert_eq!(log.format.as_deref(), Some("JSON"));
    assert_eq!(log.include_query_parameters, Some(true));
    assert_eq!(log.driver.as_deref(), Some("awslogs"));
    let options = log.options.unwrap();
    let stream = &options["awslogs-stream"];
    let id = &task.key.id.0;
    assert!(stream.starts_with("p/ecs-service-connect-") && stream.ends_with(id.as_str()));
    assert_eq!(options.get("awslogs-stream-prefix"), None);
    assert_eq!(options["mode"], "non-blocking");
    let arn = format!("arn:aws:logs:us-east-1:000000000000:log-group:/sc:log-stream:{stream}");
    let asked = iam::Ask::new("logs:PutLogEvents", arn);
    let may =
        |host: &str| ecs::host_rights::host_rights(&house.world, iam::Holder::Host(host), &asked);
    let instance = house
        .world
        .get(&ecs::records::CONTAINER_INSTANCES, &task.instance_key());
    let host = instance.unwrap().host.clone();
    assert!(may(&host));
    assert!(["a", "b"].into_iter().any(|other| !may(other)));
}

#[test]
fn names_have_addresses_in_their_order_and_ports_of_one_name_share_it() {
    let mut house = house();
    let definition = web(&mut house);
    let both = json!({"enabled": true, "namespace": SHOP, "services": [
        {"portName": "raw", "clientAliases": [{"dnsName": "web", "port": 81}]},
        {"portName": "api", "clientAliases": [{"dnsName": "web", "port": 80}]},
    ]});
    create(&mut house, "web", &definition, both).unwrap();
    let unnamed = json!({"enabled": true, "services": [
        {"portName": "api", "discoveryName": "api-2", "clientAliases": [{"port": 80}]},
    ]});
    let key = create(&mut house, "other", &definition, unnamed).unwrap();
    house.settle(&key);
    let expected = [
        ("api-2.shop", "127.255.0.1", 80),
        ("web", "127.255.0.2", 80),
        ("web", "127.255.0.2", 81),
    ];
    let expected = expected.map(|(name, at, port)| (name.to_owned(), at.to_owned(), port));
    assert_eq!(reached(&house, &key), expected);
}

#[test]
fn targets_follow_the_tasks_that_run_and_go_before_their_host_is_told() {
    let mut house = house();
    let definition = web(&mut house);
    let server = create(&mut house, "web", &definition, exposes("api", "api", 8080)).unwrap();
    let key = create(&mut house, "client", &definition, client()).unwrap();
    house.settle(&server);
    house.settle(&key);
    let row = rows_of(&house, &key).remove(0);
    assert_eq!((row.discovery_name.as_str(), row.targets.len()), ("api", 0));
    let running = run(&mut house, &server);
    let host = |key: &TaskKey| house.world.get(&TASKS, key).unwrap().instance_key().arn();
    let hosts = [host(&house.live(&key)[0].key), host(&running)];
    let row = rows::rows(&house.world, hosts.each_ref().map(String::as_str)).remove(0);
    let target = &row.targets[0];
    assert_eq!(
        (target.id.as_str(), target.port),
        (running.id.0.as_str(), 32_768)
    );
    house.stop(&running.arn(), None).unwrap();
    let rows = rows::rows(&house.world, hosts.each_ref().map(String::as_str));
    assert_eq!(rows[0].targets, []);
    let told = house.world.get(&TASKS, &running).unwrap();
    assert!(told.is_undelivered(), "its host does not know yet");
}

#[test]
fn a_target_on_a_machines_loopback_is_told_to_that_machine_alone() {
    let mut house = house();
    let definition = web(&mut house);
    let server = create(&mut house, "web", &definition, exposes("api", "api", 8080)).unwrap();
    let everywhere = CreateServiceRequest {
        service_name: Some("client".into()),
        task_definition: Some(definition),
        desired_count: Some(2),
        service_connect_configuration: Some(configuration(client())),
        placement_constraints: Some(vec![PlacementConstraint {
            r#type: Some("distinctInstance".into()),
            ..PlacementConstraint::default()
        }]),
        ..CreateServiceRequest::default()
    };
    house
        .write(|txn, ctx| ops::create_service::create_service(txn, ctx, &everywhere))
        .unwrap();
    let clients = house.service_key("client");
    house.settle(&server);
    house.settle(&clients);
    let running = run(&mut house, &server);
    let own = house.world.get(&TASKS, &running).unwrap().instance_key();
    let hosts = house.live(&clients);
    let hosts: Vec<_> = hosts.iter().map(|task| task.instance_key()).collect();
    assert_eq!(hosts.len(), 2);
    for host in hosts {
        let row = rows::rows(&house.world, [host.arn().as_str()]).remove(0);
        let ids: Vec<&str> = row.targets.iter().map(|one| one.id.as_str()).collect();
        let expected = if host == own {
            vec![running.id.0.as_str()]
        } else {
            vec![]
        };
        assert_eq!(ids, expected);
    }
}

#[test]
fn an_alias_whose_discovery_name_changes_is_reached_once_by_the_new_one() {
    let mut house = house();
    let definition = web(&mut house);
    let named = |discovery: &str| {
        json!({"enabled": true, "services": [
            {"portName": "api", "discoveryName": discovery,
             "clientAliases": [{"dnsName": "api", "port": 8080}]},
        ]})
    };
    let server = create(&mut house, "web", &definition, named("m")).unwrap();
    house.until_steady(&server);
    for (discovery, both) in [("b", ["b", "m"]), ("z", ["m", "z"])] {
        let input = UpdateServiceRequest {
            service: Some("web".into()),
            service_connect_configuration: Some(configuration(named(discovery))),
            ..UpdateServiceRequest::default()
        };
        update(&mut house, input).unwrap();
        let all = house.world.scan(&ENDPOINTS);
        let all: Vec<_> = all.map(|one| one.key.discovery.clone()).collect();
        assert_eq!(
            all.iter()
                .filter(|name| both.contains(&name.as_str()))
                .count(),
            2
        );
        let name = format!("client-{discovery}");
        let key = create(&mut house, &name, &definition, client()).unwrap();
        house.settle(&key);
        let sent = task::payload(&house.world, &house.live(&key)[0]).unwrap();
        let listeners = sent.listeners.unwrap().into_iter();
        let names: Vec<_> = listeners.map(|one| one.discovery_name.unwrap()).collect();
        assert_eq!(names, [discovery]);
    }
}

#[test]
fn a_service_that_is_made_anew_is_reached_by_clients_that_run() {
    let mut house = house();
    let definition = web(&mut house);
    let exposed = exposes("api", "api", 8080);
    let server = create(&mut house, "web", &definition, exposed.clone()).unwrap();
    let key = create(&mut house, "client", &definition, client()).unwrap();
    house.until_steady(&server);
    house.settle(&key);
    let before = rows_of(&house, &key).remove(0);
    let input = DeleteServiceRequest {
        service: Some("web".into()),
        force: Some(true),
        ..DeleteServiceRequest::default()
    };
    house
        .write(|txn, ctx| ops::delete_service::delete_service(txn, ctx, &input))
        .unwrap();
    house.settle(&server);
    house.play(&server);
    house.settle(&server);
    assert_eq!(house.world.count(&ENDPOINTS), 0);
    let server = create(&mut house, "web", &definition, exposed).unwrap();
    house.settle(&server);
    let running = run(&mut house, &server);
    let own = house.world.get(&TASKS, &running).unwrap().instance_key();
    let host = house.live(&key)[0].instance_key();
    let (own, host) = (own.arn(), host.arn());
    let row = rows::rows(&house.world, [own.as_str(), host.as_str()]);
    let row = row.into_iter().find(|row| row.id == before.id).unwrap();
    let ids: Vec<&str> = row.targets.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids, [running.id.0.as_str()]);
    let service = house.world.get(&SERVICES, &key).unwrap();
    let told = explain::service(&house.world, service);
    assert_eq!(told["reaches"][0]["targets"], 1);
    assert_eq!(told["newer_than_its_deployment"], json!([]));
}

#[test]
fn a_deleted_service_takes_its_endpoints_and_their_cloud_map_services_along() {
    let mut house = house();
    let definition = web(&mut house);
    let key = create(&mut house, "web", &definition, exposes("api", "api", 8080)).unwrap();
    house.until_steady(&key);
    assert_eq!(house.world.count(&map::SERVICES), 1);
    let listed = |house: &mut House| {
        let input = ListServicesByNamespaceRequest {
            namespace: Some(SHOP.into()),
            ..ListServicesByNamespaceRequest::default()
        };
        let world = house.world.clone();
        ops::list_services_by_namespace::list_services_by_namespace(&world, &mut house.ctx, &input)
            .unwrap()
            .service_arns
    };
    assert_eq!(listed(&mut house), Some(vec![key.arn()]));
    let input = DeleteServiceRequest {
        service: Some("web".into()),
        force: Some(true),
        ..DeleteServiceRequest::default()
    };
    house
        .write(|txn, ctx| ops::delete_service::delete_service(txn, ctx, &input))
        .unwrap();
    house.settle(&key);
    house.play(&key);
    house.settle(&key);
    assert_eq!(listed(&mut house), Some(vec![]));
    let left = [
        house.world.count(&ENDPOINTS),
        house.world.count(&map::SERVICES),
    ];
    assert_eq!(left, [0, 0]);
    house.change(|txn, _| retention::forget(txn, &key));
    assert_eq!(house.world.count(&SERVICES), 0);
}

#[test]
fn what_is_no_more_exposed_goes_when_its_last_task_is_replaced() {
    let mut house = house();
    let definition = web(&mut house);
    let key = create(&mut house, "web", &definition, exposes("api", "api", 8080)).unwrap();
    house.until_steady(&key);
    let names = |house: &House| -> Vec<String> {
        let all = house.world.scan(&ENDPOINTS);
        all.map(|one| one.key.discovery.clone()).collect()
    };
    let input = UpdateServiceRequest {
        service: Some("web".into()),
        service_connect_configuration: Some(configuration(exposes("raw", "raw", 81))),
        ..UpdateServiceRequest::default()
    };
    let shown = update(&mut house, input).unwrap();
    let primary = &shown.deployments.unwrap()[0];
    let resources = primary.service_connect_resources.clone().unwrap();
    assert_eq!(resources[0].discovery_name.as_deref(), Some("raw"));
    assert_eq!(names(&house), ["api", "raw"]);
    house.until_steady(&key);
    assert_eq!(names(&house), ["raw"]);
    let off = UpdateServiceRequest {
        service: Some("web".into()),
        service_connect_configuration: Some(configuration(json!({"enabled": false}))),
        ..UpdateServiceRequest::default()
    };
    update(&mut house, off).unwrap();
    house.until_steady(&key);
    assert!(names(&house).is_empty());
    assert_eq!(house.world.count(&map::SERVICES), 0);
}

#[test]
fn a_task_shows_its_attachment_and_a_revision_its_resolved_names() {
    let mut house = house();
    let definition = web(&mut house);
    let given = json!({"enabled": true, "services": [
        {"portName": "api", "clientAliases": [{"port": 80}]},
    ]});
    let key = create(&mut house, "web", &definition, given).unwrap();
    house.until_steady(&key);
    let live = house.live(&key)[0].key.clone();
    let attachment = house.describe(&live).attachments.unwrap().remove(0);
    assert_eq!(attachment.r#type.as_deref(), Some("Service Connect"));
    assert_eq!(attachment.status.as_deref(), Some("ATTACHED"));
    let details = attachment.details.unwrap().into_iter();
    let details: Vec<_> = details
        .map(|one| (one.name.unwrap(), one.value.unwrap()))
        .collect();
    let expected = [
        ("portName", "api"),
        ("discoveryName", "api"),
        ("clientAliases", r#"[{"dnsName":"api.shop","port":80}]"#),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(details, expected);
    let revision = task::revision(&house.world, &house.live(&key)[0]).unwrap();
    let shown = ecs::service::deployment_shape::revision(revision);
    let shown = shown.service_connect_configuration.unwrap();
    assert_eq!(shown.namespace, Some(namespace(&house).key.arn()));
    let alias = &shown.services.unwrap()[0].client_aliases.clone().unwrap()[0];
    assert_eq!(alias.dns_name.as_deref(), Some("api.shop"));
}

#[test]
fn what_cannot_be_is_refused_and_leaves_nothing() {
    let mut house = house();
    let definition = web(&mut house);
    create(
        &mut house,
        "first",
        &definition,
        exposes("api", "api", 8080),
    )
    .unwrap();
    let before = [
        house.world.count(&SERVICES),
        house.world.count(&map::SERVICES),
    ];
    let one = |service: Value| json!({"enabled": true, "services": [service]});
    let alias = json!([{"port": 80}]);
    let (invalid, client) = ("InvalidParameterException", "ClientException");
    for (given, code, part) in [
        (
            json!({"enabled": true, "namespace": "other"}),
            "NamespaceNotFoundException",
            "not found",
        ),
        (
            one(json!({"portName": "none", "clientAliases": alias})),
            invalid,
            "port name 'none'",
        ),
        (
            one(json!({"portName": "dns", "clientAliases": alias})),
            invalid,
            "udp",
        ),
        (
            one(json!({"portName": "raw"})),
            invalid,
            "exactly one client alias",
        ),
        (
            one(json!({"portName": "raw", "clientAliases": [{"port": 1}, {"port": 2}]})),
            invalid,
            "exactly one client alias",
        ),
        (
            one(json!({"portName": "raw", "clientAliases": [{"port": 0}]})),
            invalid,
            "between 1",
        ),
        (
            one(json!({"portName": "raw", "clientAliases": [{"port": 1, "dnsName": "A b"}]})),
            invalid,
            "dnsName 'A b'",
        ),
        (
            one(json!({"portName": "raw", "discoveryName": "-a", "clientAliases": alias})),
            invalid,
            "discoveryName '-a'",
        ),
        (
            one(json!({"portName": "api", "clientAliases": alias})),
            invalid,
            "discoveryName 'api' is already used",
        ),
        (
            one(json!({"portName": "raw", "clientAliases": [{"dnsName": "api", "port": 8080}]})),
            invalid,
            "alias api:8080 is already used",
        ),
        (
            one(
                json!({"portName": "raw", "clientAliases": alias, "timeout": {"perRequestTimeoutSeconds": 5}}),
            ),
            invalid,
            "isn't TCP",
        ),
        (
            one(
                json!({"portName": "raw", "clientAliases": alias, "timeout": {"idleTimeoutSeconds": -1}}),
            ),
            invalid,
            "cannot be negative",
        ),
        (
            one(json!({"portName": "raw", "clientAliases": alias, "ingressPortOverride": 9000})),
            client,
            "ingressPortOverride with networkMode=bridge",
        ),
        (
            json!({"enabled": true, "services": [
                {"portName": "raw", "clientAliases": [{"port": 1}]},
                {"portName": "raw", "clientAliases": [{"port": 2}]},
            ]}),
            invalid,
            "discoveryName 'raw' is already used",
        ),
        (
            json!({"enabled": true, "containerConfigurations": [{"logLevel": "trace"}]}),
            invalid,
            "logLevel should be one of",
        ),
        (
            json!({"enabled": true, "accessLogConfiguration": {"format": "TEXT"}}),
            invalid,
            "requires a logConfiguration",
        ),
        (
            logged(json!({"format": "XML"})),
            invalid,
            "format should be one of [TEXT,JSON]",
        ),
        (
            logged(json!({})),
            invalid,
            "format should be one of [TEXT,JSON]",
        ),
        (
            logged(json!({"format": "TEXT", "includeQueryParameters": "SOME"})),
            invalid,
            "includeQueryParameters should be one of",
        ),
        (
            json!({"enabled": true, "logConfiguration": {"logDriver": "awslogs", "options": {}}}),
            client,
            "Log driver awslogs requires options",
        ),
    ] {
        let error = create(&mut house, "second", &definition, given.clone()).unwrap_err();
        assert_eq!(error.code().name, code, "{given}: {error}");
        assert!(error.message().contains(part), "{given}: {error}");
    }
    let after = [
        house.world.count(&SERVICES),
        house.world.count(&map::SERVICES),
    ];
    assert_eq!(after, before);
    let on_host = RegisterTaskDefinitionRequest {
        family: Some("host".into()),
        network_mode: Some("host".into()),
        container_definitions: Some(vec![container("app", 64, 64)]),
        ..RegisterTaskDefinitionRequest::default()
    };
    let on_host = house.define_with(on_host);
    let error = create(&mut house, "third", &on_host, json!({"enabled": true})).unwrap_err();
    assert!(error.message().contains("networkMode=host"), "{error}");
}

#[test]
fn traffic_that_is_shifted_is_not_built() {
    let mut house = house();
    let definition = web(&mut house);
    let input = |connect: Value| CreateServiceRequest {
        service_name: Some("web".into()),
        task_definition: Some(definition.clone()),
        service_connect_configuration: Some(configuration(connect)),
        deployment_configuration: Some(DeploymentConfiguration {
            strategy: Some("BLUE_GREEN".into()),
            ..DeploymentConfiguration::default()
        }),
        ..CreateServiceRequest::default()
    };
    let asked = input(exposes("api", "api", 80));
    let create = |house: &mut House, input: &CreateServiceRequest| {
        house.write(|txn, ctx| ops::create_service::create_service(txn, ctx, input))
    };
    let error = create(&mut house, &asked).unwrap_err();
    assert_eq!(error.code().name, "ClientException");
    create(&mut house, &input(client())).unwrap();
}

#[test]
fn a_daemon_is_reached_by_name_as_well() {
    let mut house = house();
    let definition = web(&mut house);
    let input = CreateServiceRequest {
        service_name: Some("web".into()),
        task_definition: Some(definition),
        scheduling_strategy: Some("DAEMON".into()),
        service_connect_configuration: Some(configuration(exposes("api", "api", 80))),
        ..CreateServiceRequest::default()
    };
    house
        .write(|txn, ctx| ops::create_service::create_service(txn, ctx, &input))
        .unwrap();
    let key = house.service_key("web");
    house.until_steady(&key);
    assert_eq!(house.live(&key).len(), 2, "one on each host");
    let registered = house.world.scan(&map::INSTANCES);
    assert_eq!(registered.count(), 2);
}

#[derive(Clone, Debug)]
enum Move {
    /// Of the service of this number: what it exposes, by the number of a port and of an alias; `None` is off.
    Want(usize, Option<(usize, usize)>),
    Delete(usize),
    Work(usize),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let service = 0..3_usize;
    let one = prop_oneof![
        4 => (service.clone(), prop::option::of((0..2_usize, 0..3_usize)))
            .prop_map(|(at, exposed)| Move::Want(at, exposed)),
        1 => service.clone().prop_map(Move::Delete),
        4 => service.prop_map(Move::Work),
    ];
    prop::collection::vec(one, 1..30)
}

fn make(house: &mut House, definition: &str, one: Move) {
    let name = |at: usize| format!("s{at}");
    match one {
        Move::Want(at, exposed) => {
            let connect = match exposed {
                Some((port, alias)) => exposes(["api", "raw"][port], ["a", "b", "c"][alias], 80),
                None => json!({"enabled": false}),
            };
            // Whoever comes second to a name is refused, and that is all.
            let known = house.world.get(&SERVICES, &house.service_key(&name(at)));
            let is_active = known.is_some_and(|known| known.status == ServiceStatus::Active);
            let _ = match is_active {
                false => create(house, &name(at), definition, connect).map(drop),
                true => update(
                    house,
                    UpdateServiceRequest {
                        service: Some(name(at)),
                        service_connect_configuration: Some(configuration(connect)),
                        ..UpdateServiceRequest::default()
                    },
                )
                .map(drop),
            };
        }
        Move::Delete(at) => {
            let input = DeleteServiceRequest {
                service: Some(name(at)),
                force: Some(true),
                ..DeleteServiceRequest::default()
            };
            let _ = house.write(|txn, ctx| ops::delete_service::delete_service(txn, ctx, &input));
        }
        Move::Work(at) => {
            let key = house.service_key(&name(at));
            if house.world.get(&SERVICES, &key).is_some() {
                house.settle(&key);
                house.play(&key);
                house.settle(&key);
                house.pass(10);
            }
        }
    }
}

/// What always holds of the endpoints of a namespace.
fn check(house: &House) -> Result<(), TestCaseError> {
    let endpoints: Vec<_> = house.world.scan(&ENDPOINTS).cloned().collect();
    let mut aliases = BTreeSet::new();
    let mut behind = BTreeSet::new();
    for one in &endpoints {
        let service = house.world.get(&map::SERVICES, &one.map_service());
        let service = service.expect("an endpoint has its Cloud Map service");
        prop_assert_eq!(&service.name, &one.key.discovery);
        let owner = house
            .world
            .get(&SERVICES, &one.owner)
            .expect("and its owner");
        prop_assert_ne!(owner.status, ServiceStatus::Inactive);
        aliases.insert((
            one.endpoint.name.clone(),
            one.endpoint.port,
            one.owner.clone(),
        ));
        behind.insert(one.map_service());
    }
    let names: BTreeSet<_> = aliases.iter().map(|(name, port, _)| (name, port)).collect();
    prop_assert_eq!(names.len(), aliases.len(), "two services have one name");
    let made: BTreeSet<_> = house
        .world
        .scan(&map::SERVICES)
        .map(|one| one.key.clone())
        .collect();
    prop_assert_eq!(&made, &behind, "no Cloud Map service is left behind");
    for instance in house.world.scan(&map::INSTANCES) {
        prop_assert!(behind.contains(&instance.key.service));
        let mut tasks = house.world.scan(&TASKS);
        let task = tasks.find(|task| task.key.id.0 == instance.key.id).unwrap();
        prop_assert_eq!(task.desired, DesiredStatus::Running);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn endpoints_follow_their_services_whatever_is_asked_for(moves in moves()) {
        let mut house = house();
        let definition = web(&mut house);
        for one in moves {
            make(&mut house, &definition, one);
            check(&house)?;
        }
        for at in 0..3 {
            make(&mut house, &definition, Move::Delete(at));
            make(&mut house, &definition, Move::Work(at));
        }
        check(&house)?;
        prop_assert_eq!(house.world.count(&ENDPOINTS), 0);
    }
}
