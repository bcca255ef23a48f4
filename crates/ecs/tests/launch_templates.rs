//! A machine that counts as launched from a launch template takes the template's type and its interfaces.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use aws_api::ec2::{
    CreateLaunchTemplateRequest, CreateLaunchTemplateVersionRequest, DeleteLaunchTemplateRequest,
    ModifyLaunchTemplateRequest, RequestLaunchTemplateData,
};
use aws_api::ecs::{Attribute, RegisterContainerInstanceRequest};
use aws_types::{AwsError, Caller, Principal};
use ec2::ops::{launch_template_versions, launch_templates};
use ecs::ops::register_container_instance::register_container_instance;
use ecs::records::InstanceKey;
use ecs::records::container_instance::CONTAINER_INSTANCES;
use ecs::task::reference;
use support::{House, registration};

const TYPE: &str = "ecs.instance-type";
const TEMPLATE: &str = "longshore.launch-template";

fn data(kind: &str) -> Option<RequestLaunchTemplateData> {
    Some(RequestLaunchTemplateData {
        image_id: Some("ami-1".into()),
        instance_type: (!kind.is_empty()).then(|| kind.to_owned()),
        ..RequestLaunchTemplateData::default()
    })
}

/// A template whose versions are of these types, the first the default one; its id.
fn template(house: &mut House, name: &str, types: &[&str]) -> String {
    let input = CreateLaunchTemplateRequest {
        launch_template_name: Some(name.into()),
        launch_template_data: data(types[0]),
        ..CreateLaunchTemplateRequest::default()
    };
    let made = house.write(|txn, ctx| launch_templates::create(txn, ctx, &input));
    for kind in &types[1..] {
        let input = CreateLaunchTemplateVersionRequest {
            launch_template_name: Some(name.into()),
            launch_template_data: data(kind),
            ..CreateLaunchTemplateVersionRequest::default()
        };
        house
            .write(|txn, ctx| launch_template_versions::create(txn, ctx, &input))
            .unwrap();
    }
    let made = made.unwrap().launch_template.unwrap();
    made.launch_template_id.unwrap()
}

/// Registers host `name` with these attributes besides its own.
fn register(house: &mut House, name: &str, more: &[(&str, &str)]) -> Result<InstanceKey, AwsError> {
    let mut input = registration(4096, 8192);
    let attribute = |(name, value): &(&str, &str)| Attribute {
        name: Some((*name).into()),
        value: Some((*value).into()),
        ..Attribute::default()
    };
    let attributes = input.attributes.as_mut().unwrap();
    attributes.extend(more.iter().map(attribute));
    register_as(house, name, input)
}

fn register_as(
    house: &mut House,
    name: &str,
    input: RegisterContainerInstanceRequest,
) -> Result<InstanceKey, AwsError> {
    let root = house.ctx.caller.clone();
    house.ctx.caller = Caller {
        principal: Principal::Host { host: name.into() },
        ..root.clone()
    };
    let answer = house.write(|txn, ctx| register_container_instance(txn, ctx, &input));
    house.ctx.caller = root;
    let arn = answer?.container_instance.unwrap().container_instance_arn;
    Ok(reference::instance_arn(&house.ctx.scope, &arn.unwrap()).unwrap())
}

/// An instance's type, and how many tasks with an interface it takes.
fn of(house: &House, key: &InstanceKey) -> (Option<String>, Option<u32>) {
    let record = house.world.get(&CONTAINER_INSTANCES, key).unwrap();
    let kind = record.attribute(TYPE).flatten();
    (kind.map(String::from), record.registered.interfaces)
}

#[test]
fn the_version_that_is_named_gives_the_type_and_its_interfaces() {
    let mut house = House::new();
    let id = template(&mut house, "web", &["t3.micro", "c5.large", "c5.4xlarge"]);
    let by_id = format!("{id}:3");
    for (text, kind, interfaces) in [
        ("web", "t3.micro", 1),
        (id.as_str(), "t3.micro", 1),
        ("web:$Default", "t3.micro", 1),
        ("web:2", "c5.large", 2),
        ("web:$Latest", "c5.4xlarge", 7),
        (by_id.as_str(), "c5.4xlarge", 7),
    ] {
        let key = register(&mut house, text, &[(TEMPLATE, text)]).unwrap();
        assert_eq!(
            of(&house, &key),
            (Some(kind.into()), Some(interfaces)),
            "{text}"
        );
    }
    // As with a type of the settings: a number wins, and a type that is not known needs one.
    template(&mut house, "odd", &["x9.odd"]);
    for (text, kind) in [("web", "t3.micro"), ("odd", "x9.odd")] {
        let own = [(TEMPLATE, text), ("longshore.max-interfaces", "5")];
        let key = register(&mut house, &format!("{text}-5"), &own).unwrap();
        assert_eq!(of(&house, &key), (Some(kind.into()), Some(4)), "{text}");
    }
}

#[test]
fn what_gives_no_type_refuses_the_machine() {
    let mut house = House::new();
    template(&mut house, "web", &["t3.micro", ""]);
    template(&mut house, "odd", &["x9.odd"]);
    for (more, why) in [
        (
            vec![(TEMPLATE, "other")],
            "The specified launch template, with template name other, does not exist.",
        ),
        (
            vec![(TEMPLATE, "lt-00000000000000000")],
            "The specified launch template, with template ID lt-00000000000000000, does not exist.",
        ),
        (
            vec![(TEMPLATE, "web:3")],
            "Could not find the specified version 3",
        ),
        (
            vec![(TEMPLATE, "web:2")],
            "its version 2 names no instance type.",
        ),
        (
            vec![(TEMPLATE, "a web")],
            "The specified launch template name is invalid.",
        ),
        (
            vec![(TEMPLATE, "odd")],
            "its instance type x9.odd has is not known here",
        ),
        (
            vec![(TEMPLATE, "web"), (TYPE, "c5.large")],
            "it registers an instance type of its own.",
        ),
    ] {
        let error = register(&mut house, "a", &more).unwrap_err();
        assert_eq!(error.code().name, "InvalidParameterException", "{more:?}");
        let begin = format!(
            "This machine cannot be of launch template {:?}: ",
            more[0].1
        );
        assert!(error.message().starts_with(&begin), "{}", error.message());
        assert!(error.message().contains(why), "{}", error.message());
    }
    assert_eq!(house.world.count(&CONTAINER_INSTANCES), 0);
}

#[test]
fn an_instance_keeps_its_type_until_its_machine_names_another_template() {
    let mut house = House::new();
    let id = template(&mut house, "web", &["t3.micro", "c5.large"]);
    let key = register(&mut house, "a", &[(TEMPLATE, "web")]).unwrap();
    let micro = (Some("t3.micro".into()), Some(1));
    assert_eq!(of(&house, &key), micro);
    let input = ModifyLaunchTemplateRequest {
        launch_template_id: Some(id.clone()),
        default_version: Some("2".into()),
        ..ModifyLaunchTemplateRequest::default()
    };
    house
        .write(|txn, ctx| launch_templates::modify(txn, ctx, &input))
        .unwrap();
    let again = |house: &mut House, text: &str| {
        assert_eq!(register(house, "a", &[(TEMPLATE, text)]).unwrap(), key);
        of(house, &key)
    };
    assert_eq!(again(&mut house, "web"), micro);
    assert_eq!(
        again(&mut house, "web:$Default"),
        (Some("c5.large".into()), Some(2))
    );
    let input = DeleteLaunchTemplateRequest {
        launch_template_id: Some(id),
        ..DeleteLaunchTemplateRequest::default()
    };
    house
        .write(|txn, ctx| launch_templates::delete(txn, ctx, &input))
        .unwrap();
    assert_eq!(
        again(&mut house, "web:$Default"),
        (Some("c5.large".into()), Some(2))
    );
    assert!(register(&mut house, "a", &[(TEMPLATE, "web")]).is_err());
    // Without the setting it has neither.
    assert_eq!(register(&mut house, "a", &[]).unwrap(), key);
    assert_eq!(of(&house, &key), (None, None));
}

#[test]
fn fargate_capacity_has_no_type() {
    let mut house = House::new();
    let mut input = registration(4096, 8192);
    input.cluster = Some("aws:fargate".into());
    input.attributes.as_mut().unwrap().push(Attribute {
        name: Some(TEMPLATE.into()),
        value: Some("no-such-template".into()),
        ..Attribute::default()
    });
    let root = house.ctx.caller.clone();
    house.ctx.caller = Caller {
        principal: Principal::Host { host: "a".into() },
        ..root
    };
    house
        .write(|txn, ctx| register_container_instance(txn, ctx, &input))
        .unwrap();
    let record = house.world.scan(&CONTAINER_INSTANCES).next().unwrap();
    assert_eq!(record.attribute(TYPE), None);
    assert_eq!(record.registered.interfaces, None);
}
