//! Account settings: whose value holds, how they are listed, and what they change.

#![allow(dead_code)]
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use aws_api::ecs::*;
use aws_types::{AwsError, Principal};
use ecs::ops;
use std::slice::from_ref;
use support::{House, container, run};

const ROOT: &str = "arn:aws:iam::000000000000:root";
const ANN: &str = "arn:aws:iam::000000000000:user/ann";

fn put(
    house: &mut House,
    name: &str,
    value: &str,
    principal: Option<&str>,
) -> Result<Setting, AwsError> {
    let input = PutAccountSettingRequest {
        name: Some(name.into()),
        value: Some(value.into()),
        principal_arn: principal.map(Into::into),
    };
    house
        .write(|txn, ctx| ops::put_account_setting::put_account_setting(txn, ctx, &input))
        .map(|answer| answer.setting.unwrap())
}

fn put_default(house: &mut House, name: &str, value: &str) -> Setting {
    let input = PutAccountSettingDefaultRequest {
        name: Some(name.into()),
        value: Some(value.into()),
    };
    let answer = house.write(|txn, ctx| {
        ops::put_account_setting_default::put_account_setting_default(txn, ctx, &input)
    });
    answer.unwrap().setting.unwrap()
}

fn delete(house: &mut House, name: &str, principal: Option<&str>) -> Setting {
    let input = DeleteAccountSettingRequest {
        name: Some(name.into()),
        principal_arn: principal.map(Into::into),
    };
    let answer = house
        .write(|txn, ctx| ops::delete_account_setting::delete_account_setting(txn, ctx, &input));
    answer.unwrap().setting.unwrap()
}

fn list(
    house: &mut House,
    input: &ListAccountSettingsRequest,
) -> Result<ListAccountSettingsResponse, AwsError> {
    let world = house.world.clone();
    ops::list_account_settings::list_account_settings(&world, &mut house.ctx, input)
}

fn of(principal: &str, name: &str, effective: bool) -> ListAccountSettingsRequest {
    ListAccountSettingsRequest {
        name: Some(name.into()),
        principal_arn: Some(principal.into()),
        effective_settings: Some(effective),
        ..ListAccountSettingsRequest::default()
    }
}

fn setting(name: &str, value: &str, principal: &str) -> Setting {
    Setting {
        name: Some(name.into()),
        value: Some(value.into()),
        principal_arn: Some(principal.into()),
        r#type: Some("user".into()),
    }
}

#[test]
fn ones_own_value_holds_then_the_accounts_then_awss() {
    let mut house = House::new();
    let name = "containerInsights";
    let shown = |house: &mut House, effective: bool| {
        let answer = list(house, &of(ANN, name, effective)).unwrap();
        answer.settings.unwrap()
    };
    assert_eq!(shown(&mut house, false), []);
    assert_eq!(shown(&mut house, true), [setting(name, "disabled", ROOT)]);
    let default = put_default(&mut house, name, "enabled");
    assert_eq!(default, setting(name, "enabled", ROOT));
    assert_eq!(shown(&mut house, false), []);
    assert_eq!(shown(&mut house, true), from_ref(&default));
    let own = put(&mut house, name, "enhanced", Some(ANN)).unwrap();
    assert_eq!(own, setting(name, "enhanced", ANN));
    for effective in [false, true] {
        assert_eq!(shown(&mut house, effective), from_ref(&own));
    }
    assert_eq!(delete(&mut house, name, Some(ANN)), own);
    assert_eq!(shown(&mut house, true), from_ref(&default));
    assert_eq!(
        delete(&mut house, name, None),
        default,
        "the caller is root"
    );
    assert_eq!(shown(&mut house, true), [setting(name, "disabled", ROOT)]);
}

#[test]
fn settings_are_listed_by_page_and_filtered_by_value() {
    let mut house = House::new();
    let (mut names, mut token) = (Vec::new(), None);
    let mut pages = 0;
    loop {
        let input = ListAccountSettingsRequest {
            effective_settings: Some(true),
            next_token: token,
            ..ListAccountSettingsRequest::default()
        };
        let answer = list(&mut house, &input).unwrap();
        names.extend(
            answer
                .settings
                .unwrap()
                .into_iter()
                .map(|s| s.name.unwrap()),
        );
        token = answer.next_token;
        pages += 1;
        if token.is_none() {
            break;
        }
    }
    let known = ecs::rules::account_settings::ALL.len();
    assert_eq!((names.len(), pages), (known, 2));
    assert!(names.is_sorted(), "{names:?}");
    let mut of_value = |value: &str| {
        let input = ListAccountSettingsRequest {
            value: Some(value.into()),
            ..of(ROOT, "awsvpcTrunking", true)
        };
        list(&mut house, &input).unwrap().settings.unwrap().len()
    };
    assert_eq!((of_value("disabled"), of_value("enabled")), (1, 0));
    for input in [
        ListAccountSettingsRequest {
            value: Some("enabled".into()),
            ..ListAccountSettingsRequest::default()
        },
        ListAccountSettingsRequest {
            max_results: Some(11),
            ..ListAccountSettingsRequest::default()
        },
        of(ROOT, "unknown", true),
        of("somebody", "containerInsights", true),
    ] {
        let error = list(&mut house, &input).unwrap_err();
        assert_eq!(error.code().name, "InvalidParameterException", "{input:?}");
    }
    let unknown = list(&mut house, &of(ROOT, "unknown", true)).unwrap_err();
    let start = "unknown should be one of [serviceLongArnFormat,taskLongArnFormat,";
    assert!(unknown.message().starts_with(start), "{unknown}");
}

#[test]
fn who_is_not_root_has_only_his_own() {
    let mut house = House::new();
    house.ctx.caller.arn = ANN.into();
    house.ctx.caller.principal = Principal::Other;
    let own = put(&mut house, "containerInsights", "enhanced", None).unwrap();
    assert_eq!(own.principal_arn.as_deref(), Some(ANN));
    put(&mut house, "containerInsights", "enabled", Some(ANN)).unwrap();
    let error = put(&mut house, "containerInsights", "enabled", Some(ROOT)).unwrap_err();
    assert_eq!(error.code().name, "AccessDeniedException");
}

#[test]
fn new_clusters_have_the_insights_that_the_account_sets() {
    let mut house = House::new();
    put_default(&mut house, "containerInsights", "enhanced");
    let mut create = |settings: Option<Vec<ClusterSetting>>, name: &str| {
        let input = CreateClusterRequest {
            cluster_name: Some(name.into()),
            settings,
            ..CreateClusterRequest::default()
        };
        let answer = house.write(|txn, ctx| ops::create_cluster::create_cluster(txn, ctx, &input));
        let shown = answer.unwrap().cluster.unwrap().settings.unwrap();
        shown[0].value.clone().unwrap()
    };
    assert_eq!(create(None, "blue"), "enhanced");
    let off = ClusterSetting {
        name: Some("containerInsights".into()),
        value: Some("disabled".into()),
    };
    assert_eq!(create(Some(vec![off]), "green"), "disabled");
}

#[test]
fn the_mode_of_logs_is_the_one_set_when_the_task_started_unless_the_definition_names_one() {
    let mut house = House::new();
    let host = house.host("h", 4096, 4096);
    let logging = |mode: Option<&str>| {
        let mut options = std::collections::BTreeMap::from([
            ("awslogs-group".to_owned(), "g".to_owned()),
            ("awslogs-region".to_owned(), "us-east-1".to_owned()),
            ("awslogs-stream-prefix".to_owned(), "p".to_owned()),
        ]);
        options.extend(mode.map(|mode| ("mode".to_owned(), mode.to_owned())));
        ContainerDefinition {
            log_configuration: Some(LogConfiguration {
                log_driver: Some("awslogs".into()),
                options: Some(options),
                ..LogConfiguration::default()
            }),
            ..container("app", 10, 10)
        }
    };
    house.define("plain", vec![logging(None)]);
    house.define("lossy", vec![logging(Some("non-blocking"))]);
    let mode = |house: &mut House, family: &str| {
        house.run_all(family, 1);
        let payload = house.deliver(&host).remove(0);
        let container = payload.containers.unwrap().remove(0);
        let text = container.docker_config.unwrap().host_config.unwrap();
        let config: serde_json::Value = serde_json::from_str(&text).unwrap();
        let mode = &config["LogConfig"]["Config"]["mode"];
        mode.as_str().map(str::to_owned)
    };
    assert_eq!(mode(&mut house, "plain").as_deref(), Some("non-blocking"));
    put_default(&mut house, "defaultLogDriverMode", "blocking");
    assert_eq!(mode(&mut house, "plain").as_deref(), Some("blocking"));
    assert_eq!(mode(&mut house, "lossy").as_deref(), Some("non-blocking"));
    let running = house.run_all("plain", 1).remove(0);
    put_default(&mut house, "defaultLogDriverMode", "non-blocking");
    let record = house.world.get(&ecs::records::TASKS, &running).unwrap();
    assert_eq!(
        record.log_mode.as_deref(),
        Some("blocking"),
        "as it started"
    );
}

#[test]
fn tags_on_creation_need_a_right_of_their_own_unless_the_account_says_otherwise() {
    let mut house = House::new();
    let tags = Some(vec![Tag {
        key: Some("team".into()),
        value: Some("web".into()),
    }]);
    let actions = |house: &House, tags: &Option<Vec<Tag>>| {
        let cluster = CreateClusterRequest {
            tags: tags.clone(),
            ..CreateClusterRequest::default()
        };
        let definition = RegisterTaskDefinitionRequest {
            tags: tags.clone(),
            ..RegisterTaskDefinitionRequest::default()
        };
        let tasks = RunTaskRequest {
            tags: tags.clone(),
            ..run("web", 1)
        };
        let start = StartTaskRequest {
            tags: tags.clone(),
            ..StartTaskRequest::default()
        };
        let (world, ctx) = (&house.world, &house.ctx);
        [
            ops::create_cluster::authorisation(&cluster, world, ctx),
            ops::register_task_definition::authorisation(&definition, world, ctx),
            ops::run_task::authorisation(&tasks, world, ctx),
            ops::start_task::authorisation(&start, world, ctx),
        ]
        .map(|asks| asks.iter().any(|ask| ask.action == "ecs:TagResource"))
    };
    assert_eq!(actions(&house, &None), [false; 4]);
    assert_eq!(actions(&house, &tags), [true; 4]);
    put_default(&mut house, "tagResourceAuthorization", "off");
    assert_eq!(actions(&house, &tags), [false; 4]);
}
