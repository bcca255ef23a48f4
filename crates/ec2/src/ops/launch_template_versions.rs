//! Versions of launch templates.
//!
//! Rule: EC2 API reference, CreateLaunchTemplateVersion, DescribeLaunchTemplateVersions and
//! DeleteLaunchTemplateVersions; texts as recorded from AWS.

use super::launch_templates::{RESULTS, add_version, users};
use crate::errors::{code, invalid_combination, invalid_parameter, invalid_value, missing, refuse};
use crate::filter::{self, Field, fields};
use crate::launch_template::{Named, Version, data, number_of, shown, version};
use crate::page::page_within;
use crate::records::ResourceKey;
use crate::records::launch_template::{
    LAUNCH_TEMPLATE_VERSIONS, LAUNCH_TEMPLATES, LaunchTemplateRecord, LaunchTemplateVersionRecord,
    VersionKey, versions_of,
};
use crate::tokens::{self, Made};
use aws_api::ec2::{
    CreateLaunchTemplateVersionRequest, CreateLaunchTemplateVersionResult,
    DeleteLaunchTemplateVersionsRequest, DeleteLaunchTemplateVersionsResponseErrorItem,
    DeleteLaunchTemplateVersionsResponseSuccessItem, DeleteLaunchTemplateVersionsResult,
    DescribeLaunchTemplateVersionsRequest, DescribeLaunchTemplateVersionsResult,
    LaunchTemplateVersion, ResponseError,
};
use aws_types::{AwsError, Ctx, Scope};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{Txn, World};

/// Versions of one deletion. Rule: EC2 API reference, DeleteLaunchTemplateVersions.
const DELETED_MAX: usize = 200;
/// As AWS says it of a call that names neither a template nor versions of all.
const WHICH: &str = "To describe the launch template data for all your launch templates, for ‘--versions’ specify \
    ‘$Latest’, ‘$Default’, or both, and omit ‘--launch-template-id’, ‘--launch-template-name’, and version \
    numbers. To describe the launch template data for a specific launch template, specify \
    ‘--launch-template-id’ or ‘--launch-template-name’, and for ‘--versions’ specify one or more of the \
    following values: ‘$Latest’, ‘$Default’, or one or more version numbers.";

impl Made for LaunchTemplateVersionRecord {
    const TOKENS_OF: &'static str = "lt-version";
    fn made_id(&self) -> String {
        format!("{}:{}", self.key.template.id, self.key.number)
    }
    fn find_made(world: &World, scope: &Scope, id: &str) -> Option<Self> {
        let (template, number) = id.split_once(':')?;
        let key = VersionKey {
            template: ResourceKey::new(scope, template),
            number: number_of(number)?,
        };
        let found = world.get(&LAUNCH_TEMPLATE_VERSIONS, &key);
        found.map(|found| found.as_ref().clone())
    }
}

/// CreateLaunchTemplateVersion: on top of its source version, where it names one.
pub fn create(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &CreateLaunchTemplateVersionRequest,
) -> Result<CreateLaunchTemplateVersionResult, AwsError> {
    let (id, name) = (
        input.launch_template_id.as_ref(),
        input.launch_template_name.as_ref(),
    );
    let named = Named::read(id, name, "create a version of the template")?;
    let own = data::given(input.launch_template_data.as_ref())?;
    let made = tokens::once(txn, ctx, input.client_token.as_ref(), input, |txn, ctx| {
        let mut template = named.find(txn, &ctx.scope)?.as_ref().clone();
        let source = input
            .source_version
            .as_ref()
            .filter(|text| !text.is_empty());
        let data = match source {
            Some(text) => data::merged(&version(txn, &template, text)?.data, own),
            None => own.clone(),
        };
        let description = input.version_description.as_ref();
        add_version(txn, ctx, &mut template, description, data)
    })?;
    let template = Named::Id(made.key.template.id.clone());
    let template = template.find(txn, &ctx.scope)?;
    check_alias(input.resolve_alias, [&made])?;
    Ok(CreateLaunchTemplateVersionResult {
        launch_template_version: Some(shape(template, &made)),
        warning: None,
    })
}

/// No parameter of Systems Manager can be looked up: there are none.
fn check_alias<'a>(
    is_asked: Option<bool>,
    versions: impl IntoIterator<Item = &'a LaunchTemplateVersionRecord>,
) -> Result<(), AwsError> {
    let is_alias = |version: &LaunchTemplateVersionRecord| {
        let image = version.data.image_id.as_deref().unwrap_or_default();
        image.starts_with("resolve:ssm:")
    };
    let has_alias = || versions.into_iter().any(is_alias);
    refuse(&[("ResolveAlias", is_asked == Some(true) && has_alias())])
}

/// DeleteLaunchTemplateVersions: each by itself; those that cannot go are told apart.
pub fn delete(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DeleteLaunchTemplateVersionsRequest,
) -> Result<DeleteLaunchTemplateVersionsResult, AwsError> {
    let (id, name) = (
        input.launch_template_id.as_ref(),
        input.launch_template_name.as_ref(),
    );
    let named = Named::read(id, name, "delete versions of the template")?;
    let numbers = numbers(input.versions.as_ref())?;
    let template = named.look(txn, &ctx.scope).cloned();
    let (mut gone, mut left) = (Vec::new(), Vec::new());
    for number in numbers {
        let answered = i64::try_from(number).ok();
        match delete_one(txn, template.as_deref(), &named, number) {
            Ok(template) => gone.push(DeleteLaunchTemplateVersionsResponseSuccessItem {
                launch_template_id: Some(template.key.id.clone()),
                launch_template_name: Some(template.name.clone()),
                version_number: answered,
            }),
            Err(error) => left.push(DeleteLaunchTemplateVersionsResponseErrorItem {
                launch_template_id: id
                    .cloned()
                    .or(template.as_ref().map(|one| one.key.id.clone())),
                launch_template_name: name
                    .cloned()
                    .or(template.as_ref().map(|one| one.name.clone())),
                version_number: answered,
                response_error: Some(error),
            }),
        }
    }
    if let Some(template) = template {
        settle_latest(txn, &template.key);
    }
    Ok(DeleteLaunchTemplateVersionsResult {
        successfully_deleted_launch_template_versions: Some(gone),
        unsuccessfully_deleted_launch_template_versions: Some(left),
    })
}

/// The numbers of a deletion, each once.
fn numbers(given: Option<&Vec<String>>) -> Result<Vec<u64>, AwsError> {
    let given = given.filter(|given| !given.is_empty());
    let given = given.ok_or_else(|| missing("LaunchTemplateVersion"))?;
    if given.len() > DELETED_MAX {
        return Err(invalid_value(format!(
            "You can delete up to {DELETED_MAX} launch template versions in a single request."
        )));
    }
    let mut numbers = Vec::new();
    for text in given {
        let number = number_of(text).ok_or_else(|| {
            invalid_parameter("launchTemplateVersion", text, "Expecting a version number.")
        })?;
        if !numbers.contains(&number) {
            numbers.push(number);
        }
    }
    Ok(numbers)
}

fn delete_one<'a>(
    txn: &mut Txn,
    template: Option<&'a LaunchTemplateRecord>,
    named: &Named,
    number: u64,
) -> Result<&'a LaunchTemplateRecord, ResponseError> {
    let error = |code: &str, text: String| ResponseError {
        code: Some(code.into()),
        message: Some(text),
    };
    let Some(template) = template else {
        return Err(match named {
            Named::Id(id) => error(
                "launchTemplateIdDoesNotExist",
                format!("The specified launch template, with template ID {id}, does not exist."),
            ),
            Named::Name(name) => error(
                "launchTemplateNameDoesNotExist",
                format!(
                    "The specified launch template, with template name {name}, does not exist."
                ),
            ),
        });
    };
    let key = VersionKey {
        template: template.key.clone(),
        number,
    };
    if txn.get(&LAUNCH_TEMPLATE_VERSIONS, &key).is_none() {
        let text = format!(
            "Could not find the specified version {number} for the launch template with ID {}.",
            template.key.id
        );
        return Err(error("launchTemplateVersionDoesNotExist", text));
    }
    if number == template.default_version {
        let text = format!(
            "Version {number} is the default version of the launch template, which cannot be deleted."
        );
        return Err(error("unexpectedError", text));
    }
    txn.delete(&LAUNCH_TEMPLATE_VERSIONS, &key);
    Ok(template)
}

/// Lets a template's latest version be the greatest of those that are left.
fn settle_latest(txn: &mut Txn, template: &ResourceKey) {
    let versions = versions_of(template);
    let versions = txn.scan_prefix(&LAUNCH_TEMPLATE_VERSIONS, &versions, None);
    let Some(latest) = versions.map(|(_, version)| version.key.number).last() else {
        return;
    };
    txn.update(&LAUNCH_TEMPLATES, template, |template| {
        template.latest_version = latest;
    });
}

/// A version beside its template.
type Pair = (Arc<LaunchTemplateRecord>, Arc<LaunchTemplateVersionRecord>);

/// Rule: EC2 API reference, DescribeLaunchTemplateVersions, `Filter.N`.
const FIELDS: &[Field<Pair>] = fields![
    "create-time" => |_, (_, one)| [one.created_at.iso8601()],
    "ebs-optimized" => |_, (_, one)| one.data.ebs_optimized.map(|is| is.to_string()),
    "host-resource-group-arn" => |_, (_, one)| {
        one.data.placement.as_ref().and_then(|placement| placement.host_resource_group_arn.clone())
    },
    "http-endpoint" => |_, (_, one)| metadata_endpoint(one),
    "http-protocol-ipv4" => |_, (_, one)| metadata_endpoint(one),
    "http-tokens" => |_, (_, one)| {
        one.data.metadata_options.as_ref().and_then(|options| options.http_tokens.clone())
    },
    "iam-instance-profile" => |_, (_, one)| {
        one.data.iam_instance_profile.as_ref().and_then(|profile| profile.arn.clone())
    },
    "image-id" => |_, (_, one)| one.data.image_id.clone(),
    "instance-type" => |_, (_, one)| one.data.instance_type.clone(),
    "is-default-version" => |_, (template, one)| [is_default(template, one).to_string()],
    "kernel-id" => |_, (_, one)| one.data.kernel_id.clone(),
    "license-configuration-arn" => |_, (_, one)| {
        let licences = one.data.license_specifications.iter().flatten();
        licences.filter_map(|licence| licence.license_configuration_arn.clone())
    },
    "network-card-index" => |_, (_, one)| {
        let interfaces = one.data.network_interfaces.iter().flatten();
        interfaces.filter_map(|one| one.network_card_index.map(|index| index.to_string()))
    },
    "ram-disk-id" => |_, (_, one)| one.data.ram_disk_id.clone(),
];

/// Of instance metadata; by IPv4 it is there wherever it is there at all.
fn metadata_endpoint(version: &LaunchTemplateVersionRecord) -> Option<String> {
    version
        .data
        .metadata_options
        .as_ref()?
        .http_endpoint
        .clone()
}

/// DescribeLaunchTemplateVersions, the newest of a template first.
pub fn describe(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeLaunchTemplateVersionsRequest,
) -> Result<DescribeLaunchTemplateVersionsResult, AwsError> {
    let filter = filter::compile(input.filters.as_ref(), FIELDS)?;
    let found = chosen(world, &ctx.scope, input)?;
    let kept: Vec<Pair> = found
        .into_iter()
        .filter(|pair| filter.matches(world, pair, BTreeMap::new))
        .collect();
    check_alias(
        input.resolve_alias,
        kept.iter().map(|(_, one)| one.as_ref()),
    )?;
    let mut rows: Vec<_> = kept
        .iter()
        .map(|(template, one)| {
            let place = format!("{}:{:020}", template.key.id, u64::MAX - one.key.number);
            (place, shape(template, one))
        })
        .collect();
    rows.sort_by(|(a, _), (b, _)| a.cmp(b));
    rows.dedup_by(|(a, _), (b, _)| a == b);
    let rows = rows.into_iter();
    let page = page_within(RESULTS, rows, input.next_token.as_ref(), input.max_results)?;
    Ok(DescribeLaunchTemplateVersionsResult {
        launch_template_versions: Some(page.items),
        next_token: page.next_token,
    })
}

fn chosen(
    world: &World,
    scope: &Scope,
    input: &DescribeLaunchTemplateVersionsRequest,
) -> Result<Vec<Pair>, AwsError> {
    let (id, name) = (
        input.launch_template_id.as_ref(),
        input.launch_template_name.as_ref(),
    );
    let asked = input.versions.as_deref().unwrap_or_default();
    let range = range(input)?;
    if !asked.is_empty() && range.is_some() {
        return Err(invalid_combination(
            "Either provide versions or the least and the greatest one to describe.",
        ));
    }
    if id.is_none() && name.is_none() {
        if asked.is_empty() {
            return Err(code("MissingParameter").with(WHICH));
        }
        return of_all(world, scope, asked);
    }
    let named = Named::read(id, name, "describe versions of the template")?;
    let template = named.find(world, scope)?;
    if asked.is_empty() {
        let (least, most) = range.unwrap_or((1, u64::MAX));
        let versions = versions_of(&template.key);
        let versions = world.scan_prefix(&LAUNCH_TEMPLATE_VERSIONS, &versions, None);
        return Ok(versions
            .map(|(_, version)| (template.clone(), version.clone()))
            .filter(|(_, version)| (least..=most).contains(&version.key.number))
            .collect());
    }
    let one = |text: &String| Ok((template.clone(), version(world, template, text)?.clone()));
    asked.iter().map(one).collect()
}

/// `MinVersion` and `MaxVersion`, each of which is among those that are meant.
fn range(input: &DescribeLaunchTemplateVersionsRequest) -> Result<Option<(u64, u64)>, AwsError> {
    let read = |given: Option<&String>, name: &str| {
        let Some(text) = given.filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let number = number_of(text);
        let why = "Expecting a version number.";
        number
            .map(Some)
            .ok_or_else(|| invalid_parameter(name, text, why))
    };
    let least = read(input.min_version.as_ref(), "minVersion")?;
    let most = read(input.max_version.as_ref(), "maxVersion")?;
    let is_given = least.is_some() || most.is_some();
    Ok(is_given.then(|| (least.unwrap_or(1), most.unwrap_or(u64::MAX))))
}

/// The latest versions of all templates, or the default ones.
fn of_all(world: &World, scope: &Scope, asked: &[String]) -> Result<Vec<Pair>, AwsError> {
    let mut wanted = Vec::new();
    for text in asked {
        match Version::parse(text) {
            Some(version @ (Version::Latest | Version::Default)) => wanted.push(version),
            Some(Version::Number(_)) | None => return Err(invalid_value(WHICH)),
        }
    }
    let own = ResourceKey::prefix(scope);
    let templates = world.scan_prefix(&LAUNCH_TEMPLATES, &own, None);
    let of = |template: &Arc<LaunchTemplateRecord>| {
        let versions = wanted.iter().filter_map(|one| one.of(world, template));
        versions
            .map(|version| (template.clone(), version.clone()))
            .collect::<Vec<_>>()
    };
    Ok(templates.flat_map(|(_, template)| of(template)).collect())
}

fn is_default(template: &LaunchTemplateRecord, version: &LaunchTemplateVersionRecord) -> bool {
    template.default_version == version.key.number
}

fn shape(
    template: &LaunchTemplateRecord,
    version: &LaunchTemplateVersionRecord,
) -> LaunchTemplateVersion {
    LaunchTemplateVersion {
        launch_template_id: Some(template.key.id.clone()),
        launch_template_name: Some(template.name.clone()),
        version_number: i64::try_from(version.key.number).ok(),
        version_description: version.description.clone(),
        create_time: Some(version.created_at),
        created_by: Some(version.created_by.clone()),
        default_version: Some(is_default(template, version)),
        launch_template_data: Some(shown(&version.data)),
        operator: Some(users()),
    }
}
