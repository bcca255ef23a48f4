//! What is deleted goes once nothing uses it any more: task definitions and clusters.
#![allow(clippy::unwrap_used)]

mod support;

use aws_api::ecs::*;
use ecs::cluster_retention;
use ecs::instance::life;
use ecs::ops;
use ecs::records::{CLUSTERS, ClusterKey, TASK_DEFINITIONS};
use ecs::task::retention;
use ecs::task_definition::deletion;
use std::time::Duration;
use support::{House, container};

const HOUR: Duration = Duration::from_secs(3600);

fn delete_definition(house: &mut House, name: &str) {
    let named = Some(name.to_owned());
    house.change(|txn, ctx| {
        ops::deregister_task_definition::deregister_task_definition(
            txn,
            ctx,
            &DeregisterTaskDefinitionRequest {
                task_definition: named.clone(),
            },
        )
        .unwrap();
        let answer = ops::delete_task_definitions::delete_task_definitions(
            txn,
            ctx,
            &DeleteTaskDefinitionsRequest {
                task_definitions: Some(named.into_iter().collect()),
            },
        )
        .unwrap();
        assert_eq!(answer.failures, Some(Vec::new()));
    });
}

fn sweep_definitions(house: &mut House) -> usize {
    let keys = deletion::due(&house.world);
    house.change(|txn, _| deletion::remove(txn, &keys));
    assert!(deletion::due(&house.world).is_empty(), "swept twice");
    keys.len()
}

#[test]
fn a_definition_stays_while_a_task_names_it() {
    let mut house = House::new();
    let host = house.host("h", 1024, 1024);
    for family in ["used", "unused", "kept"] {
        house.define(family, vec![container("app", 1, 8)]);
    }
    let task = house.run_all("used", 1).remove(0);
    delete_definition(&mut house, "used:1");
    delete_definition(&mut house, "unused:1");
    assert_eq!(sweep_definitions(&mut house), 1);
    assert_eq!(house.world.scan(&TASK_DEFINITIONS).count(), 2);

    // Stopped, it is described for an hour longer.
    house.deliver(&host);
    house.report_running(&task, &["app"]);
    house.report_stopped(&task, &["app"], 0);
    assert_eq!(
        house.describe(&task).last_status.as_deref(),
        Some("STOPPED")
    );
    assert_eq!(sweep_definitions(&mut house), 0);
    house.pass(3601);
    let keys = retention::expired(&house.world, house.ctx.now, HOUR);
    house.change(|txn, _| retention::remove(txn, &keys));
    assert_eq!(sweep_definitions(&mut house), 1);

    // Its number is not given again.
    let again = house.define("used", vec![container("app", 1, 8)]);
    assert!(again.ends_with("/used:2"), "{again}");
    assert_eq!(sweep_definitions(&mut house), 0);
}

fn clusters(house: &House) -> Vec<String> {
    let all = house.world.scan(&CLUSTERS);
    all.map(|cluster| cluster.name.clone()).collect()
}

fn create(house: &mut House, name: &str) {
    let input = CreateClusterRequest {
        cluster_name: Some(name.into()),
        ..Default::default()
    };
    house
        .write(|txn, ctx| ops::create_cluster::create_cluster(txn, ctx, &input))
        .unwrap();
}

fn delete(house: &mut House, name: &str) {
    let input = DeleteClusterRequest {
        cluster: Some(name.into()),
    };
    house
        .write(|txn, ctx| ops::delete_cluster::delete_cluster(txn, ctx, &input))
        .unwrap();
}

fn sweep_clusters(house: &mut House) {
    let keys = cluster_retention::expired(&house.world, house.ctx.now, HOUR);
    house.change(|txn, _| cluster_retention::remove(txn, &keys));
}

#[test]
fn a_deleted_cluster_is_described_for_an_hour() {
    let mut house = House::new();
    create(&mut house, "alive");
    create(&mut house, "gone");
    delete(&mut house, "gone");
    house.pass(3600);
    sweep_clusters(&mut house);
    assert_eq!(clusters(&house), ["alive", "gone"]);
    house.pass(1);
    sweep_clusters(&mut house);
    assert_eq!(clusters(&house), ["alive"]);
}

#[test]
fn a_cluster_made_anew_stays() {
    let mut house = House::new();
    create(&mut house, "again");
    delete(&mut house, "again");
    house.pass(7200);
    let named = cluster_retention::expired(&house.world, house.ctx.now, HOUR);
    assert_eq!(named, [ClusterKey::new(&house.ctx.scope, "again")]);
    create(&mut house, "again");
    house.change(|txn, _| cluster_retention::remove(txn, &named));
    assert_eq!(clusters(&house), ["again"]);
    sweep_clusters(&mut house);
    assert_eq!(clusters(&house), ["again"]);
}

#[test]
fn a_cluster_stays_while_an_instance_of_it_is_described() {
    let mut house = House::new();
    let host = house.host("h", 1024, 1024);
    house.change(|txn, ctx| life::deregister(txn, ctx, &host));
    delete(&mut house, "default");
    house.pass(7200);
    sweep_clusters(&mut house);
    assert_eq!(clusters(&house), ["default"]);
    let keys = life::expired(&house.world, house.ctx.now, HOUR);
    assert_eq!(keys, [host]);
    house.change(|txn, _| life::remove(txn, &keys));
    sweep_clusters(&mut house);
    assert!(clusters(&house).is_empty());
}
