//! Every text that a service shows: its events, and why its deployments ended (semantics 6.2, 6.3).
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use ecs::place::solve::{Reason, Refusal, Refused};
use ecs::records::container_instance::InstanceId;
use ecs::records::service::{Rollout, SERVICES, ServiceKey};
use ecs::records::service_deployment::{
    DeploymentStatus, SERVICE_DEPLOYMENTS, ServiceDeploymentRecord,
};
use ecs::records::task::TaskId;
use ecs::service::events::{Message, TaskSetNews, Unplaced, why_unplaced};
use ecs::service::wanted;
use std::sync::Arc;
use support::House;
use support::services::Settings;

/// Where a message stands in the table below, so that none is left out.
fn at(message: &Message) -> usize {
    match message {
        Message::Started(_) => 0,
        Message::StartedIn(..) => 1,
        Message::Stopped(_) => 2,
        Message::StoppedIn(..) => 3,
        Message::OfTaskSet(_, TaskSetNews::Started(_)) => 4,
        Message::OfTaskSet(_, TaskSetNews::Stopped(_)) => 5,
        Message::OfTaskSet(_, TaskSetNews::Steady) => 6,
        Message::OfTaskSet(_, TaskSetNews::Impaired) => 7,
        Message::Steady => 8,
        Message::Completed(_) => 9,
        Message::Failed(..) => 10,
        Message::RollingBack(_) => 11,
        Message::Unplaced(_) => 12,
        Message::UnplacedIn(..) => 13,
        Message::Misconfigured(_) => 14,
        Message::Impaired => 15,
        Message::Blocked => 16,
        Message::Unhealthy(_) => 17,
        Message::Violated(_) => 18,
        Message::Protected(..) => 19,
        Message::Unevened(..) => 20,
        Message::Rebalancing(_) => 21,
        Message::Rebalanced(_) => 22,
        Message::RebalancingStopped => 23,
    }
}

const SEE: &str =
    "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.";

#[test]
fn events_have_the_words_of_aws() {
    let two = || vec![TaskId("t1".into()), TaskId("t2".into())];
    let zones = || vec![("us-east-1a".into(), 3), ("us-east-1b".into(), 1)];
    let set = |news| Message::OfTaskSet(7, news);
    let unplaced = |why: &str, reason| {
        let why = why.into();
        Message::Unplaced(Unplaced { why, reason })
    };
    let unplaced_in = |reason| Message::UnplacedIn("us-east-1b".into(), reason);
    let table = [
        (
            Message::Started(two()),
            "(service web) has started 2 tasks: (task t1) (task t2).",
        ),
        (
            Message::StartedIn("us-east-1b".into(), two()),
            "(service web) has started 2 tasks in us-east-1b to AZ Rebalance: (task t1) (task t2).",
        ),
        (
            Message::Stopped(two()),
            "(service web) has stopped 2 running tasks: (task t1) (task t2).",
        ),
        (
            Message::StoppedIn("us-east-1a".into(), two()),
            "(service web) has stopped 2 running tasks in us-east-1a due to AZ rebalancing: (task \
             t1) (task t2).",
        ),
        (
            set(TaskSetNews::Started(two())),
            "(service web, taskSet ecs-svc/7) has started 2 tasks: (task t1) (task t2).",
        ),
        (
            set(TaskSetNews::Stopped(two())),
            "(service web, taskSet ecs-svc/7) has stopped 2 running tasks: (task t1) (task t2).",
        ),
        (
            set(TaskSetNews::Steady),
            "(service web, taskSet ecs-svc/7) updated state to STEADY_STATE.",
        ),
        (
            set(TaskSetNews::Impaired),
            "(service web, taskSet ecs-svc/7) is unable to consistently start tasks successfully. \
             {SEE}",
        ),
        (Message::Steady, "(service web) has reached a steady state."),
        (
            Message::Completed(7),
            "(service web) (deployment ecs-svc/7) deployment completed.",
        ),
        (
            Message::Failed(7, "tasks failed to start".into()),
            "(service web) (deployment ecs-svc/7) deployment failed: tasks failed to start.",
        ),
        (
            Message::RollingBack(7),
            "(service web) rolling back to deployment ecs-svc/7.",
        ),
        (
            unplaced("The closest one is full.", Some("RESOURCE:CPU")),
            "(service web) was unable to place a task because no container instance met all of its \
             requirements. The closest one is full. {SEE}",
        ),
        (
            unplaced("There is no capacity.", Some("RESOURCE:FARGATE")),
            "(service web) was unable to place a task. Reason: There is no capacity. {SEE}",
        ),
        (
            unplaced_in(Some("RESOURCE:CPU")),
            "(service web) is unable to place a task in us-east-1b because no container instance met \
             all of its requirements.",
        ),
        (
            unplaced_in(None),
            "(service web) is unable to place a task in us-east-1b because no container instance met \
             all of its requirements.",
        ),
        (
            unplaced_in(Some("RESOURCE:FARGATE")),
            "(service web) is unable to place a task in us-east-1b.",
        ),
        (
            Message::Misconfigured("the subnet is gone".into()),
            "(service web) failed to launch a task with (error the subnet is gone).",
        ),
        (
            Message::Impaired,
            "(service web) is unable to consistently start tasks successfully. {SEE}",
        ),
        (
            Message::Blocked,
            "(service web) was unable to stop or start tasks during a deployment because of the \
             service deployment configuration. Update the minimumHealthyPercent or maximumPercent \
             value and try again.",
        ),
        (
            Message::Unhealthy(TaskId("t".into())),
            "(service web) (task t) failed container health checks.",
        ),
        (
            Message::Violated(TaskId("t".into())),
            "(service web) stopped (task t) because its container instance no longer meets the \
             placement constraints.",
        ),
        (
            Message::Protected(7, 2),
            "(service web) was unable to reach steady state because (taskSet ecs-svc/7) was unable \
             to scale in due to (reason 2 tasks under protection)",
        ),
        (
            Message::Unevened(7, 2),
            "(service web) was unable to AZ Rebalance because (taskSet ecs-svc/7) was unable to scale \
             in due to (reason 2 tasks under protection)",
        ),
        (
            Message::Rebalancing(zones()),
            "(service web) is not AZ balanced with 3 tasks in us-east-1a, 1 tasks in us-east-1b. AZ \
             Rebalancing in progress.",
        ),
        (
            Message::Rebalanced(zones()),
            "(service web) is AZ balanced with 3 tasks in us-east-1a, 1 tasks in us-east-1b.",
        ),
        (
            Message::RebalancingStopped,
            "(service web) stopped AZ Rebalancing.",
        ),
    ];
    let mut places: Vec<usize> = table.iter().map(|(message, _)| at(message)).collect();
    places.dedup();
    assert_eq!(
        places,
        (0..24).collect::<Vec<_>>(),
        "every message, in order"
    );
    for (message, expected) in table {
        assert_eq!(message.text("web"), expected.replace("{SEE}", SEE));
    }
}

#[test]
fn a_task_without_a_place_is_told_with_what_the_closest_instance_lacks() {
    let none = why_unplaced(None);
    assert_eq!(
        none.why,
        "Reason: No Container Instances were found in your cluster."
    );
    assert_eq!(none.reason, None);
    let (wanted, free) = (2, 1);
    for (reason, why, name) in [
        (
            Reason::Cpu { wanted, free },
            "has insufficient CPU units available",
            "RESOURCE:CPU",
        ),
        (
            Reason::Memory { wanted, free },
            "has insufficient memory available",
            "RESOURCE:MEMORY",
        ),
        (
            Reason::Gpu { wanted, free },
            "has insufficient GPU resource available",
            "RESOURCE:GPU",
        ),
        (
            Reason::Ports(80),
            "is already using a port required by your task",
            "RESOURCE:PORTS",
        ),
        (
            Reason::PortsUdp(53),
            "is already using a port required by your task",
            "RESOURCE:PORTS_UDP",
        ),
        (
            Reason::Attribute("x".into()),
            "is missing an attribute required by your task",
            "ATTRIBUTE",
        ),
        (
            Reason::Location,
            "encountered error \"LOCATION\"",
            "LOCATION",
        ),
        (
            Reason::Eni { wanted, free },
            "encountered error \"RESOURCE:ENI\"",
            "RESOURCE:ENI",
        ),
        (
            Reason::Addresses,
            "encountered error \"RESOURCE:ENI\"",
            "RESOURCE:ENI",
        ),
        (
            Reason::Interface("x".into()),
            "encountered error \"RESOURCE:ENI\"",
            "RESOURCE:ENI",
        ),
        (Reason::Agent, "encountered error \"AGENT\"", "AGENT"),
        (
            Reason::Inactive,
            "encountered error \"INACTIVE\"",
            "INACTIVE",
        ),
        (
            Reason::MemberOf("x".into()),
            "encountered error \"MemberOf placement constraint unsatisfied.\"",
            "MemberOf placement constraint unsatisfied.",
        ),
        (
            Reason::DistinctInstance,
            "encountered error \"DistinctInstance placement constraint unsatisfied.\"",
            "DistinctInstance placement constraint unsatisfied.",
        ),
    ] {
        let told = why_unplaced(Some(&refused(reason)));
        let expected = format!("The closest matching (container-instance i1) {why}.");
        assert_eq!((told.why, told.reason), (expected, Some(name)));
    }
    let told = why_unplaced(Some(&refused(Reason::Capacity("x".into()))));
    let expected = "Capacity is unavailable at this time. Please try again later or in a different \
                    availability zone.";
    assert_eq!(
        (told.why.as_str(), told.reason),
        (expected, Some("RESOURCE:FARGATE"))
    );
}

fn refused(reason: Reason) -> Refused {
    let instance = InstanceId("i1".into());
    Refused::of(vec![Refusal { instance, reason }])
}

/// A steady service with a second deployment under way.
fn deploying() -> (House, ServiceKey) {
    let mut house = House::new();
    house.host("a", 4096, 4096);
    for _ in 0..3 {
        house.define_app("web", 128);
    }
    let key = house.service("web", "web", Settings::default());
    house.until_steady(&key);
    house.pass(1);
    house.deploy(&key, "web", 2);
    house.settle(&key);
    (house, key)
}

/// The service deployments, the oldest first.
fn all(house: &House) -> Vec<Arc<ServiceDeploymentRecord>> {
    let mut all: Vec<_> = house.world.scan(&SERVICE_DEPLOYMENTS).cloned().collect();
    all.sort_by_key(|record| record.created);
    all
}

fn ask(house: &mut House, status: DeploymentStatus) {
    let of = all(house).pop().unwrap();
    house.change(|txn, _| txn.update(&SERVICE_DEPLOYMENTS, &of.key, |one| one.status = status));
}

#[test]
fn a_deployment_that_a_user_stopped_says_so() {
    let (mut house, key) = deploying();
    ask(&mut house, DeploymentStatus::StopRequested);
    house.settle(&key);
    let text = "Service deployment was stopped by a StopServiceDeployment request.";
    let primary = house.record(&key).primary().unwrap().clone();
    assert_eq!(
        (primary.rollout, primary.reason.as_str()),
        (Rollout::Failed, text)
    );
    let of = all(&house).pop().unwrap();
    assert_eq!(
        (of.status, of.reason.as_deref()),
        (DeploymentStatus::Stopped, Some(text))
    );

    let (mut house, key) = deploying();
    ask(&mut house, DeploymentStatus::RollbackRequested);
    house.settle(&key);
    let text = "Service deployment was rolled back by a StopServiceDeployment request.";
    let of = all(&house).pop().unwrap();
    assert_eq!(of.status, DeploymentStatus::RollbackInProgress);
    assert_eq!(of.reason.as_deref(), Some(text));
    assert_eq!(of.rollback.as_ref().unwrap().reason, text);
    let record = house.record(&key);
    let [primary, stopped, ..] = record.deployments.as_slice() else {
        panic!("{record:#?}");
    };
    assert_eq!(
        (stopped.rollout, stopped.reason.as_str()),
        (Rollout::Failed, text)
    );
    let expected = format!(
        "ECS deployment stopped: rolling back to deploymentId {}.",
        primary.id()
    );
    assert_eq!(
        (primary.rollout, &primary.reason),
        (Rollout::InProgress, &expected)
    );
    let told = format!("(service web) rolling back to deployment {}.", primary.id());
    assert!(
        house.events(&key).contains(&told),
        "{:#?}",
        house.events(&key)
    );
}

#[test]
fn a_deployment_that_another_or_the_end_of_its_service_ended_says_so() {
    let (mut house, key) = deploying();
    house.pass(1);
    house.deploy(&key, "web", 3);
    let reasons = |house: &House| -> Vec<(DeploymentStatus, Option<String>)> {
        let all = all(house);
        all.iter()
            .map(|one| (one.status, one.reason.clone()))
            .collect()
    };
    let superseded = "Deployment was superseded by a newer deployment.";
    assert_eq!(
        reasons(&house),
        [
            (DeploymentStatus::Successful, None),
            (DeploymentStatus::Stopped, Some(superseded.into())),
            (DeploymentStatus::Pending, None),
        ]
    );
    house.change(|txn, ctx| {
        let mut record = txn.get(&SERVICES, &key).unwrap().as_ref().clone();
        wanted::drain(txn, ctx, &mut record);
        txn.put(&SERVICES, record);
    });
    let last = reasons(&house).pop().unwrap();
    let deleted = Some("Service was deleted.".into());
    assert_eq!(last, (DeploymentStatus::Stopped, deleted));
}
