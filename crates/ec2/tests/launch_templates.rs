//! Launch templates and their versions, through the operations.

#![expect(clippy::unwrap_used, reason = "what is missing fails the test")]

use aws_api::ec2::{
    CreateLaunchTemplateRequest, CreateLaunchTemplateVersionRequest, DeleteLaunchTemplateRequest,
    DeleteLaunchTemplateVersionsRequest, DescribeLaunchTemplateVersionsRequest,
    DescribeLaunchTemplatesRequest, Filter, LaunchTemplate, LaunchTemplateVersion,
    ModifyLaunchTemplateRequest, RequestLaunchTemplateData, Tag, TagSpecification,
};
use aws_types::{AwsError, Ctx, Timestamp};
use ec2::ops::{launch_template_versions as versions, launch_templates as templates};
use ec2::records::launch_template::{LAUNCH_TEMPLATE_VERSIONS, LAUNCH_TEMPLATES};
use ec2::records::tables;
use ec2::records::tag::TAGS;
use std::time::Duration;
use store::{Schema, Txn, World};

struct House {
    world: World,
    ctx: Ctx,
}

fn house() -> House {
    House {
        world: World::empty(&Schema::new(&tables())),
        ctx: Ctx::for_tests(1, Timestamp::from_millis(1_700_000_000_000)),
    }
}

fn text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn of_type(kind: &str) -> Option<RequestLaunchTemplateData> {
    Some(RequestLaunchTemplateData {
        instance_type: text(kind),
        ..RequestLaunchTemplateData::default()
    })
}

fn code<T: std::fmt::Debug>(answer: Result<T, AwsError>) -> &'static str {
    answer.unwrap_err().code().name
}

impl House {
    fn write<T>(
        &mut self,
        with: impl FnOnce(&mut Txn, &mut Ctx) -> Result<T, AwsError>,
    ) -> Result<T, AwsError> {
        let mut txn = Txn::new(self.world.clone());
        let answer = with(&mut txn, &mut self.ctx)?;
        self.world = txn.finish().0;
        Ok(answer)
    }

    fn create(&mut self, input: &CreateLaunchTemplateRequest) -> Result<LaunchTemplate, AwsError> {
        let made = self.write(|txn, ctx| templates::create(txn, ctx, input))?;
        Ok(made.launch_template.unwrap())
    }

    /// A template of this name and type; its id.
    fn template(&mut self, name: &str, kind: &str) -> String {
        let made = self.create(&CreateLaunchTemplateRequest {
            launch_template_name: text(name),
            launch_template_data: of_type(kind),
            ..CreateLaunchTemplateRequest::default()
        });
        made.unwrap().launch_template_id.unwrap()
    }

    fn version(
        &mut self,
        input: &CreateLaunchTemplateVersionRequest,
    ) -> Result<LaunchTemplateVersion, AwsError> {
        let made = self.write(|txn, ctx| versions::create(txn, ctx, input))?;
        Ok(made.launch_template_version.unwrap())
    }

    /// Another version of a template, of this type.
    fn another(&mut self, id: &str, kind: &str) -> i64 {
        let made = self.version(&CreateLaunchTemplateVersionRequest {
            launch_template_id: text(id),
            launch_template_data: of_type(kind),
            ..CreateLaunchTemplateVersionRequest::default()
        });
        made.unwrap().version_number.unwrap()
    }

    fn modify(&mut self, input: &ModifyLaunchTemplateRequest) -> Result<LaunchTemplate, AwsError> {
        let made = self.write(|txn, ctx| templates::modify(txn, ctx, input))?;
        Ok(made.launch_template.unwrap())
    }

    fn make_default(&mut self, id: &str, version: &str) -> Result<LaunchTemplate, AwsError> {
        self.modify(&ModifyLaunchTemplateRequest {
            launch_template_id: text(id),
            default_version: text(version),
            ..ModifyLaunchTemplateRequest::default()
        })
    }

    fn look(
        &mut self,
        input: &DescribeLaunchTemplatesRequest,
    ) -> Result<Vec<LaunchTemplate>, AwsError> {
        let found = templates::describe(&self.world, &mut self.ctx, input)?;
        Ok(found.launch_templates.unwrap())
    }

    /// The default and the latest version of a template.
    fn numbers(&mut self, id: &str) -> (i64, i64) {
        let found = self.look(&DescribeLaunchTemplatesRequest {
            launch_template_ids: Some(vec![id.into()]),
            ..DescribeLaunchTemplatesRequest::default()
        });
        let one = found.unwrap().remove(0);
        (
            one.default_version_number.unwrap(),
            one.latest_version_number.unwrap(),
        )
    }

    /// The numbers of the versions that are shown.
    fn shown(
        &mut self,
        input: &DescribeLaunchTemplateVersionsRequest,
    ) -> Result<Vec<i64>, AwsError> {
        let found = versions::describe(&self.world, &mut self.ctx, input)?;
        let found = found.launch_template_versions.unwrap().into_iter();
        Ok(found.map(|one| one.version_number.unwrap()).collect())
    }
}

#[test]
fn a_template_that_cannot_be_is_refused_and_leaves_nothing() {
    let mut house = house();
    house.template("taken", "c5.large");
    let of = |name: &str, data: Option<RequestLaunchTemplateData>| CreateLaunchTemplateRequest {
        launch_template_name: text(name),
        launch_template_data: data,
        ..CreateLaunchTemplateRequest::default()
    };
    let tagged = |kind: &str| CreateLaunchTemplateRequest {
        tag_specifications: Some(vec![TagSpecification {
            resource_type: text(kind),
            tags: Some(vec![Tag {
                key: text("a"),
                value: text("b"),
            }]),
        }]),
        ..of("tagged", of_type("c5.large"))
    };
    for (input, expected) in [
        (of("", of_type("c5.large")), "MissingParameter"),
        (of("none", None), "MissingParameter"),
        (of("none", of_type("")), "MissingParameter"),
        (
            of("no", of_type("c5.large")),
            "InvalidLaunchTemplateName.MalformedException",
        ),
        (
            of("a name", of_type("c5.large")),
            "InvalidLaunchTemplateName.MalformedException",
        ),
        (
            of("taken", of_type("m5.large")),
            "InvalidLaunchTemplateName.AlreadyExistsException",
        ),
        (
            CreateLaunchTemplateRequest {
                version_description: Some("d".repeat(256)),
                ..of("described", of_type("c5.large"))
            },
            "InvalidParameterValue",
        ),
        (tagged("instance"), "InvalidParameterValue"),
    ] {
        assert_eq!(code(house.create(&input)), expected, "{input:?}");
    }
    assert_eq!(house.world.count(&LAUNCH_TEMPLATES), 1);
    assert_eq!(house.world.count(&LAUNCH_TEMPLATE_VERSIONS), 1);
    assert_eq!(house.world.count(&TAGS), 0);
    assert!(house.create(&tagged("launch-template")).is_ok());
    assert_eq!(house.world.count(&TAGS), 1);
}

#[test]
fn a_template_is_named_by_id_or_by_name_and_not_by_both() {
    let mut house = house();
    let id = house.template("web", "c5.large");
    let unknown = "lt-00000000000000000";
    let (no_id, no_name) = (
        "InvalidLaunchTemplateId.NotFound: The specified launch template, with template ID \
         lt-00000000000000000, does not exist.",
        "InvalidLaunchTemplateName.NotFoundException: The specified launch template, with template name \
         other, does not exist.",
    );
    for (id, name, expected) in [
        (id.as_str(), "", ""),
        ("", "web", ""),
        (unknown, "", no_id),
        ("", "other", no_name),
        (
            "web",
            "",
            "InvalidLaunchTemplateId.Malformed: Invalid id: \"web\" (expecting \"lt-...\")",
        ),
        (
            &id,
            "web",
            "InvalidParameterCombination: Either provide launch template ID or launch template name to modify \
             the template.",
        ),
        (
            "",
            "",
            "MissingParameter: The request must contain the parameter launch template ID or launch template name",
        ),
    ] {
        let answer = house.modify(&ModifyLaunchTemplateRequest {
            launch_template_id: text(id),
            launch_template_name: text(name),
            default_version: text("1"),
            ..ModifyLaunchTemplateRequest::default()
        });
        let said = answer.err().map(|error| error.to_string());
        assert_eq!(said.unwrap_or_default(), expected, "{id} {name}");
        if expected == no_id || expected == no_name {
            let described = house.shown(&DescribeLaunchTemplateVersionsRequest {
                launch_template_id: text(id),
                launch_template_name: text(name),
                ..DescribeLaunchTemplateVersionsRequest::default()
            });
            assert_eq!(described.unwrap_err().to_string(), expected);
            let deleted = DeleteLaunchTemplateRequest {
                launch_template_id: text(id),
                launch_template_name: text(name),
                ..DeleteLaunchTemplateRequest::default()
            };
            let deleted = house.write(|txn, ctx| templates::delete(txn, ctx, &deleted));
            assert_eq!(deleted.unwrap_err().to_string(), expected);
        }
    }
    for (ids, names, expected) in [
        (vec![id.clone(), id.clone()], vec!["web"], ""),
        (
            vec![unknown.into()],
            vec!["web"],
            "InvalidLaunchTemplateId.NotFound",
        ),
        (
            vec![],
            vec!["web", "other"],
            "InvalidLaunchTemplateName.NotFoundException",
        ),
    ] {
        let answer = house.look(&DescribeLaunchTemplatesRequest {
            launch_template_ids: Some(ids),
            launch_template_names: Some(names.into_iter().map(String::from).collect()),
            ..DescribeLaunchTemplatesRequest::default()
        });
        match expected {
            "" => assert_eq!(answer.unwrap().len(), 1),
            expected => assert_eq!(code(answer), expected),
        }
    }
}

#[test]
fn versions_are_numbered_as_they_are_made_and_one_is_the_default() {
    let mut house = house();
    let id = house.template("web", "c5.large");
    assert_eq!(house.another(&id, "m5.large"), 2);
    assert_eq!(house.another(&id, "r5.large"), 3);
    assert_eq!(house.numbers(&id), (1, 3));
    for (version, expected) in [("2", 2), ("$Default", 2), ("$Latest", 3), ("1", 1)] {
        let modified = house.make_default(&id, version).unwrap();
        assert_eq!(modified.default_version_number, Some(expected), "{version}");
    }
    for (version, expected) in [
        ("4", "InvalidLaunchTemplateId.VersionNotFound"),
        ("newest", "InvalidLaunchTemplateId.VersionNotFound"),
        ("", "MissingParameter"),
    ] {
        assert_eq!(
            code(house.make_default(&id, version)),
            expected,
            "{version}"
        );
    }
    let unknown = house.make_default(&id, "4").unwrap_err();
    assert_eq!(
        unknown.message(),
        "The launch template version 4 is not found for the specified launch template."
    );
    assert_eq!(house.numbers(&id), (1, 3));
}

#[test]
fn a_version_stands_on_its_source() {
    let mut house = house();
    let id = house.template("web", "c5.large");
    let on = |source: &str, image: &str| CreateLaunchTemplateVersionRequest {
        launch_template_name: text("web"),
        source_version: text(source),
        version_description: text("another image"),
        launch_template_data: Some(RequestLaunchTemplateData {
            image_id: text(image),
            ..RequestLaunchTemplateData::default()
        }),
        ..CreateLaunchTemplateVersionRequest::default()
    };
    for (source, image, expected) in [
        ("1", "ami-1", (Some("c5.large"), Some("ami-1"))),
        ("$Latest", "ami-2", (Some("c5.large"), Some("ami-2"))),
        ("$Default", "ami-3", (Some("c5.large"), Some("ami-3"))),
        ("", "ami-4", (None, Some("ami-4"))),
    ] {
        let made = house.version(&on(source, image)).unwrap();
        assert_eq!(made.version_description.as_deref(), Some("another image"));
        assert_eq!(made.default_version, Some(false));
        let data = made.launch_template_data.unwrap();
        let found = (data.instance_type.as_deref(), data.image_id.as_deref());
        assert_eq!(found, expected, "{source}");
    }
    let unknown = house.version(&on("9", "ami-9")).unwrap_err();
    let expected = format!(
        "InvalidLaunchTemplateId.VersionNotFound: Could not find the specified version 9 for the launch \
         template with ID {id}."
    );
    assert_eq!(unknown.to_string(), expected);
    assert_eq!(code(house.version(&on("1", ""))), "MissingParameter");
    assert_eq!(house.numbers(&id), (1, 5));
}

#[test]
fn an_image_that_systems_manager_names_is_kept_and_not_looked_up() {
    let mut house = house();
    let id = house.template("web", "c5.large");
    let image = "resolve:ssm:/golden";
    let made = house.version(&CreateLaunchTemplateVersionRequest {
        launch_template_id: text(&id),
        launch_template_data: Some(RequestLaunchTemplateData {
            image_id: text(image),
            ..RequestLaunchTemplateData::default()
        }),
        ..CreateLaunchTemplateVersionRequest::default()
    });
    let data = made.unwrap().launch_template_data.unwrap();
    assert_eq!(data.image_id.as_deref(), Some(image));
    let asked = |version: &str| DescribeLaunchTemplateVersionsRequest {
        launch_template_id: text(&id),
        versions: Some(vec![version.into()]),
        resolve_alias: Some(true),
        ..DescribeLaunchTemplateVersionsRequest::default()
    };
    assert_eq!(code(house.shown(&asked("2"))), "UnsupportedOperation");
    assert_eq!(house.shown(&asked("1")).unwrap(), [1]);
}

#[test]
fn a_token_makes_one_template_one_version_and_one_change() {
    let mut house = house();
    let create = |kind: &str| CreateLaunchTemplateRequest {
        client_token: text("again"),
        launch_template_name: text("web"),
        launch_template_data: of_type(kind),
        ..CreateLaunchTemplateRequest::default()
    };
    let first = house.create(&create("c5.large")).unwrap();
    let id = first.launch_template_id.clone().unwrap();
    assert_eq!(house.create(&create("c5.large")).unwrap(), first);
    let other = house.create(&create("m5.large"));
    assert_eq!(code(other), "IdempotentParameterMismatch");
    let version = |kind: &str| CreateLaunchTemplateVersionRequest {
        client_token: text("again"),
        launch_template_id: text(&id),
        launch_template_data: of_type(kind),
        ..CreateLaunchTemplateVersionRequest::default()
    };
    let second = house.version(&version("m5.large")).unwrap();
    assert_eq!(house.version(&version("m5.large")).unwrap(), second);
    let other = house.version(&version("r5.large"));
    assert_eq!(code(other), "IdempotentParameterMismatch");
    let modify = |number: &str| ModifyLaunchTemplateRequest {
        client_token: text("again"),
        launch_template_id: text(&id),
        default_version: text(number),
        ..ModifyLaunchTemplateRequest::default()
    };
    house.modify(&modify("2")).unwrap();
    house.make_default(&id, "1").unwrap();
    // It was done; what came later stays.
    let again = house.modify(&modify("2")).unwrap();
    assert_eq!(again.default_version_number, Some(1));
    assert_eq!(
        code(house.modify(&modify("1"))),
        "IdempotentParameterMismatch"
    );
    assert_eq!(house.numbers(&id), (1, 2));
}

#[test]
fn versions_are_deleted_each_by_itself() {
    let mut house = house();
    let id = house.template("web", "c5.large");
    for kind in ["c5.xlarge", "c5.2xlarge", "c5.4xlarge"] {
        house.another(&id, kind);
    }
    let delete = |house: &mut House, id: &str, name: &str, numbers: &[&str]| {
        let input = DeleteLaunchTemplateVersionsRequest {
            launch_template_id: text(id),
            launch_template_name: text(name),
            versions: Some(numbers.iter().map(|one| (*one).to_owned()).collect()),
            ..DeleteLaunchTemplateVersionsRequest::default()
        };
        let answer = house.write(|txn, ctx| versions::delete(txn, ctx, &input))?;
        let gone = answer
            .successfully_deleted_launch_template_versions
            .unwrap();
        let left = answer
            .unsuccessfully_deleted_launch_template_versions
            .unwrap();
        let gone: Vec<_> = gone.iter().map(|one| one.version_number.unwrap()).collect();
        let left = left.into_iter().map(|one| {
            let error = one.response_error.unwrap();
            (one.version_number.unwrap(), error.code.unwrap())
        });
        Ok((gone, left.collect::<Vec<_>>()))
    };
    let left = |number: i64, code: &str| (number, code.to_owned());
    let (gone, refused) = delete(&mut house, &id, "", &["4", "1", "9", "4"]).unwrap();
    assert_eq!(gone, [4]);
    let expected = [
        left(1, "unexpectedError"),
        left(9, "launchTemplateVersionDoesNotExist"),
    ];
    assert_eq!(refused, expected);
    assert_eq!(house.numbers(&id), (1, 3));
    // A number is not given twice, and an earlier version that goes changes nothing of that.
    assert_eq!(house.another(&id, "c5.large"), 5);
    assert_eq!(delete(&mut house, "", "web", &["2"]).unwrap().0, [2]);
    assert_eq!(house.numbers(&id), (1, 5));
    let unknown = "lt-00000000000000000";
    for (id, name, expected) in [
        (unknown, "", "launchTemplateIdDoesNotExist"),
        ("", "other", "launchTemplateNameDoesNotExist"),
    ] {
        let answer = delete(&mut house, id, name, &["1"]).unwrap();
        assert_eq!(answer, (vec![], vec![left(1, expected)]));
    }
    let many: Vec<String> = (1..=201).map(|number| number.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for (numbers, expected) in [
        (many.as_slice(), "InvalidParameterValue"),
        (&["$Latest"], "InvalidParameterValue"),
        (&[], "MissingParameter"),
    ] {
        assert_eq!(code(delete(&mut house, &id, "", numbers)), expected);
    }
    let input = DeleteLaunchTemplateRequest {
        launch_template_id: text(&id),
        ..DeleteLaunchTemplateRequest::default()
    };
    let gone = house
        .write(|txn, ctx| templates::delete(txn, ctx, &input))
        .unwrap();
    assert_eq!(gone.launch_template.unwrap().latest_version_number, Some(5));
    assert_eq!(house.world.count(&LAUNCH_TEMPLATE_VERSIONS), 0);
    assert_ne!(house.template("web", "c5.large"), id);
}

#[test]
fn versions_are_shown_by_number_by_range_and_of_all_templates() {
    let mut house = house();
    let (web, db) = (
        house.template("web", "c5.large"),
        house.template("data", "r5.large"),
    );
    for kind in ["c5.xlarge", "c5.2xlarge", "c5.4xlarge"] {
        house.another(&web, kind);
    }
    house.make_default(&web, "2").unwrap();
    let asked =
        |versions: &[&str], least: &str, most: &str| DescribeLaunchTemplateVersionsRequest {
            versions: Some(versions.iter().map(|one| (*one).to_owned()).collect()),
            min_version: text(least),
            max_version: text(most),
            ..DescribeLaunchTemplateVersionsRequest::default()
        };
    let of_web =
        |input: DescribeLaunchTemplateVersionsRequest| DescribeLaunchTemplateVersionsRequest {
            launch_template_id: text(&web),
            ..input
        };
    for (input, expected) in [
        (of_web(asked(&[], "", "")), Ok(vec![4, 3, 2, 1])),
        (of_web(asked(&[], "3", "")), Ok(vec![4, 3])),
        (of_web(asked(&[], "", "2")), Ok(vec![2, 1])),
        (of_web(asked(&[], "2", "3")), Ok(vec![3, 2])),
        (of_web(asked(&[], "9", "")), Ok(vec![])),
        (of_web(asked(&["1", "3"], "", "")), Ok(vec![3, 1])),
        (
            of_web(asked(&["$Latest", "$Default", "4"], "", "")),
            Ok(vec![4, 2]),
        ),
        (
            of_web(asked(&["5"], "", "")),
            Err("InvalidLaunchTemplateId.VersionNotFound"),
        ),
        (
            of_web(asked(&["1"], "1", "")),
            Err("InvalidParameterCombination"),
        ),
        (of_web(asked(&[], "one", "")), Err("InvalidParameterValue")),
        (asked(&[], "", ""), Err("MissingParameter")),
        (asked(&[], "1", ""), Err("MissingParameter")),
        (asked(&["1"], "", ""), Err("InvalidParameterValue")),
    ] {
        let found = house.shown(&input);
        let found = found.map_err(|error| error.code().name);
        assert_eq!(found, expected, "{input:?}");
    }
    let of_all = |house: &mut House, versions: &[&str]| {
        let found = house.shown(&asked(versions, "", "")).unwrap();
        // In order of ids, which are made up.
        if web < db {
            found
        } else {
            found.into_iter().rev().collect()
        }
    };
    assert_eq!(of_all(&mut house, &["$Latest"]), [4, 1]);
    assert_eq!(of_all(&mut house, &["$Default"]), [2, 1]);
    assert_eq!(of_all(&mut house, &["$Latest", "$Default"]).len(), 3);
    let filtered = |name: &str, value: &str| DescribeLaunchTemplateVersionsRequest {
        filters: Some(vec![Filter {
            name: text(name),
            values: Some(vec![value.into()]),
        }]),
        ..of_web(asked(&[], "", ""))
    };
    for (name, value, expected) in [
        ("instance-type", "c5.?xlarge", vec![4, 3]),
        ("is-default-version", "true", vec![2]),
        ("is-default-version", "false", vec![4, 3, 1]),
        ("create-time", "2023-11-14T22:13:20*", vec![4, 3, 2, 1]),
        ("image-id", "*", vec![]),
    ] {
        assert_eq!(
            house.shown(&filtered(name, value)).unwrap(),
            expected,
            "{name}"
        );
    }
}

#[test]
fn pages_show_all_templates_and_all_versions_once() {
    let mut house = house();
    for number in 0..7 {
        house.ctx.now = house.ctx.now.plus(Duration::from_secs(1));
        let id = house.template(&format!("web-{number}"), "c5.large");
        if number == 0 {
            for _ in 0..6 {
                house.another(&id, "m5.large");
            }
        }
    }
    let (mut seen, mut token) = (Vec::new(), None);
    loop {
        let input = DescribeLaunchTemplatesRequest {
            max_results: Some(3),
            next_token: token,
            ..DescribeLaunchTemplatesRequest::default()
        };
        let page = templates::describe(&house.world, &mut house.ctx, &input).unwrap();
        let names = page.launch_templates.unwrap().into_iter();
        seen.extend(names.filter_map(|one| one.launch_template_name));
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    seen.sort();
    let expected: Vec<String> = (0..7).map(|number| format!("web-{number}")).collect();
    assert_eq!(seen, expected);
    let (mut seen, mut token) = (Vec::new(), None);
    loop {
        let input = DescribeLaunchTemplateVersionsRequest {
            launch_template_name: text("web-0"),
            max_results: Some(1),
            next_token: token,
            ..DescribeLaunchTemplateVersionsRequest::default()
        };
        let page = versions::describe(&house.world, &mut house.ctx, &input).unwrap();
        let numbers = page.launch_template_versions.unwrap().into_iter();
        seen.extend(numbers.filter_map(|one| one.version_number));
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(seen, [7, 6, 5, 4, 3, 2, 1]);
    for out_of_range in [0, 201] {
        let answer = house.look(&DescribeLaunchTemplatesRequest {
            max_results: Some(out_of_range),
            ..DescribeLaunchTemplatesRequest::default()
        });
        assert_eq!(code(answer), "InvalidParameterValue");
    }
}
