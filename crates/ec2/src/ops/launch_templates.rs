//! Launch templates.
//!
//! Rule: EC2 API reference, CreateLaunchTemplate and ModifyLaunchTemplate; texts as recorded from AWS.

use crate::errors::{code, invalid_parameter, refuse, required};
use crate::filter::{self, Field, fields};
use crate::launch_template::{
    NAME_NOT_FOUND, Named, VERSION_NOT_FOUND, Version, check_name, data, of_name,
};
use crate::page::page_within;
use crate::records::ResourceKey;
use crate::records::launch_template::{
    LAUNCH_TEMPLATE_VERSIONS, LAUNCH_TEMPLATES, LaunchTemplateRecord, LaunchTemplateVersionRecord,
    VersionKey, versions_of,
};
use crate::resource::{Kind, Resource};
use crate::tags;
use crate::tokens::{self, Made};
use aws_api::Stored;
use aws_api::ec2::{
    CreateLaunchTemplateRequest, CreateLaunchTemplateResult, DeleteLaunchTemplateRequest,
    DeleteLaunchTemplateResult, DescribeLaunchTemplatesRequest, DescribeLaunchTemplatesResult,
    LaunchTemplate, ModifyLaunchTemplateRequest, ModifyLaunchTemplateResult, OperatorResponse,
    RequestLaunchTemplateData,
};
use aws_types::{AwsError, Ctx, Scope};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use store::{Table, Txn, World};

/// Templates of a region. Rule: EC2 user guide, "Launch template restrictions".
const TEMPLATES_MAX: usize = 5_000;
/// Versions of a template. Rule: the same.
const VERSIONS_MAX: usize = 10_000;
/// Characters of `VersionDescription`. Rule: EC2 API reference, CreateLaunchTemplate.
const DESCRIPTION_MAX: usize = 255;
/// `MaxResults`. Rule: EC2 API reference, DescribeLaunchTemplates and DescribeLaunchTemplateVersions.
pub(super) const RESULTS: RangeInclusive<i32> = 1..=200;

impl Resource for LaunchTemplateRecord {
    const KIND: Kind = Kind {
        prefix: "lt",
        name: "launch-template",
        noun: "launch template",
        not_found: "InvalidLaunchTemplateId.NotFound",
        malformed: "InvalidLaunchTemplateId.Malformed",
        parameter: "launchTemplateId",
    };
    fn table() -> &'static Table<ResourceKey, Self> {
        &LAUNCH_TEMPLATES
    }
    fn fields() -> &'static [Field<Self>] {
        FIELDS
    }
    fn key(&self) -> &ResourceKey {
        &self.key
    }
}

/// Rule: EC2 API reference, DescribeLaunchTemplates, `Filter.N`.
const FIELDS: &[Field<LaunchTemplateRecord>] = fields![
    "create-time" => |_, template| [template.created_at.iso8601()],
    "launch-template-name" => |_, template| [template.name.clone()],
];

/// CreateLaunchTemplate: with its first version, which is the default one.
pub fn create(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &CreateLaunchTemplateRequest,
) -> Result<CreateLaunchTemplateResult, AwsError> {
    let made = tokens::once(txn, ctx, input.client_token.as_ref(), input, |txn, ctx| {
        make(txn, ctx, input)
    })?;
    Ok(CreateLaunchTemplateResult {
        launch_template: Some(shape(txn, &made)),
        warning: None,
    })
}

fn make(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &CreateLaunchTemplateRequest,
) -> Result<LaunchTemplateRecord, AwsError> {
    refuse(&[("Operator", input.operator.is_some())])?;
    let name = required(input.launch_template_name.as_ref(), "LaunchTemplateName")?;
    check_name(name)?;
    let data = data::given(input.launch_template_data.as_ref())?;
    if of_name(txn, &ctx.scope, name).is_some() {
        return Err(code("InvalidLaunchTemplateName.AlreadyExistsException")
            .with("Launch template name already in use."));
    }
    let own = ResourceKey::prefix(&ctx.scope);
    let count = txn.scan_prefix(&LAUNCH_TEMPLATES, &own, None).count();
    check_limit(count, TEMPLATES_MAX, "launch templates in this Region")?;
    let mut made = LaunchTemplateRecord {
        key: ResourceKey::fresh(ctx, LaunchTemplateRecord::KIND.prefix),
        name: name.into(),
        created_at: ctx.now,
        created_by: ctx.caller.arn.clone(),
        default_version: 1,
        latest_version: 0,
        versions_made: 0,
    };
    add_version(
        txn,
        ctx,
        &mut made,
        input.version_description.as_ref(),
        data.clone(),
    )?;
    let given = input.tag_specifications.as_ref();
    tags::create(txn, &made.key, LaunchTemplateRecord::KIND, given)?;
    Ok(made)
}

/// Makes the next version of a template, and writes both.
pub(super) fn add_version(
    txn: &mut Txn,
    ctx: &Ctx,
    template: &mut LaunchTemplateRecord,
    description: Option<&String>,
    data: RequestLaunchTemplateData,
) -> Result<LaunchTemplateVersionRecord, AwsError> {
    data::check(&data)?;
    if let Some(text) = description.filter(|text| text.chars().count() > DESCRIPTION_MAX) {
        let why = format!("It may have up to {DESCRIPTION_MAX} characters.");
        return Err(invalid_parameter("versionDescription", text, &why));
    }
    let versions = versions_of(&template.key);
    let count = txn
        .scan_prefix(&LAUNCH_TEMPLATE_VERSIONS, &versions, None)
        .count();
    check_limit(count, VERSIONS_MAX, "versions of this launch template")?;
    template.versions_made += 1;
    template.latest_version = template.versions_made;
    let version = LaunchTemplateVersionRecord {
        key: VersionKey {
            template: template.key.clone(),
            number: template.versions_made,
        },
        description: description.filter(|text| !text.is_empty()).cloned(),
        created_at: ctx.now,
        created_by: ctx.caller.arn.clone(),
        data: Stored(data),
    };
    txn.put(&LAUNCH_TEMPLATE_VERSIONS, version.clone());
    txn.put(&LAUNCH_TEMPLATES, template.clone());
    Ok(version)
}

/// Rule: EC2 API reference, "Error codes", ResourceLimitExceeded.
fn check_limit(count: usize, max: usize, what: &str) -> Result<(), AwsError> {
    match count < max {
        true => Ok(()),
        false => Err(code("ResourceLimitExceeded").with(format!(
            "You have reached the limit on the number of {what}. The limit is {max}."
        ))),
    }
}

/// A template whose default version was set: its tokens are apart from those that make templates.
struct Modified(LaunchTemplateRecord);

impl Made for Modified {
    const TOKENS_OF: &'static str = "lt-default";
    fn made_id(&self) -> String {
        self.0.key.id.clone()
    }
    fn find_made(world: &World, scope: &Scope, id: &str) -> Option<Self> {
        LaunchTemplateRecord::find_made(world, scope, id).map(Self)
    }
}

/// ModifyLaunchTemplate: another version is the default one.
pub fn modify(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &ModifyLaunchTemplateRequest,
) -> Result<ModifyLaunchTemplateResult, AwsError> {
    let (id, name) = (
        input.launch_template_id.as_ref(),
        input.launch_template_name.as_ref(),
    );
    let named = Named::read(id, name, "modify the template")?;
    let text = required(input.default_version.as_ref(), "SetDefaultVersion")?;
    let Modified(template) =
        tokens::once(txn, ctx, input.client_token.as_ref(), input, |txn, ctx| {
            let mut template = named.find(txn, &ctx.scope)?.as_ref().clone();
            let version = Version::parse(text).and_then(|version| version.of(txn, &template));
            let version = version.ok_or_else(|| {
                code(VERSION_NOT_FOUND).with(format!(
                "The launch template version {text} is not found for the specified launch template."
            ))
            })?;
            template.default_version = version.key.number;
            txn.put(&LAUNCH_TEMPLATES, template.clone());
            Ok(Modified(template))
        })?;
    Ok(ModifyLaunchTemplateResult {
        launch_template: Some(shape(txn, &template)),
    })
}

/// DeleteLaunchTemplate, with all its versions.
pub fn delete(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DeleteLaunchTemplateRequest,
) -> Result<DeleteLaunchTemplateResult, AwsError> {
    let (id, name) = (
        input.launch_template_id.as_ref(),
        input.launch_template_name.as_ref(),
    );
    let named = Named::read(id, name, "delete the template")?;
    let template = named.find(txn, &ctx.scope)?.clone();
    let gone = shape(txn, &template);
    let versions = versions_of(&template.key);
    let versions = txn.scan_prefix(&LAUNCH_TEMPLATE_VERSIONS, &versions, None);
    let keys: Vec<_> = versions.map(|(_, version)| version.key.clone()).collect();
    for key in &keys {
        txn.delete(&LAUNCH_TEMPLATE_VERSIONS, key);
    }
    txn.delete(&LAUNCH_TEMPLATES, &template.key);
    tags::forget(txn, &template.key);
    Ok(DeleteLaunchTemplateResult {
        launch_template: Some(gone),
    })
}

/// DescribeLaunchTemplates: those that are named, by id or by name, or all.
pub fn describe(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeLaunchTemplatesRequest,
) -> Result<DescribeLaunchTemplatesResult, AwsError> {
    let filter = filter::compile(input.filters.as_ref(), FIELDS)?;
    let shown = chosen(world, &ctx.scope, input)?
        .into_values()
        .filter(|template| filter.matches(world, template, || tags::of(world, &template.key)))
        .map(|template| (template.key.id.clone(), shape(world, template)));
    let page = page_within(RESULTS, shown, input.next_token.as_ref(), input.max_results)?;
    Ok(DescribeLaunchTemplatesResult {
        launch_templates: Some(page.items),
        next_token: page.next_token,
    })
}

fn chosen<'w>(
    world: &'w World,
    scope: &Scope,
    input: &DescribeLaunchTemplatesRequest,
) -> Result<BTreeMap<&'w str, &'w Arc<LaunchTemplateRecord>>, AwsError> {
    let ids = input.launch_template_ids.iter().flatten().cloned();
    let names = input.launch_template_names.iter().flatten().cloned();
    let named: Vec<Named> = ids
        .map(Named::of_id)
        .chain(names.map(Named::of_name))
        .collect::<Result<_, _>>()?;
    let found: Vec<_> = match named.is_empty() {
        true => {
            let own = ResourceKey::prefix(scope);
            let all = world.scan_prefix(&LAUNCH_TEMPLATES, &own, None);
            all.map(|(_, template)| template).collect()
        }
        false => named
            .iter()
            .map(|one| one.look(world, scope).ok_or_else(|| not_among(one)))
            .collect::<Result<_, _>>()?,
    };
    let by_id = found
        .into_iter()
        .map(|template| (template.key.id.as_str(), template));
    Ok(by_id.collect())
}

fn not_among(named: &Named) -> AwsError {
    let not_found = match named {
        Named::Id(_) => LaunchTemplateRecord::KIND.not_found,
        Named::Name(_) => NAME_NOT_FOUND,
    };
    code(not_found)
        .with("At least one of the launch templates specified in the request does not exist.")
}

fn shape(world: &World, template: &LaunchTemplateRecord) -> LaunchTemplate {
    LaunchTemplate {
        launch_template_id: Some(template.key.id.clone()),
        launch_template_name: Some(template.name.clone()),
        create_time: Some(template.created_at),
        created_by: Some(template.created_by.clone()),
        default_version_number: i64::try_from(template.default_version).ok(),
        latest_version_number: i64::try_from(template.latest_version).ok(),
        tags: Some(tags::shape(world, &template.key)),
        operator: Some(users()),
    }
}

/// What no service manages for its user.
pub(super) fn users() -> OperatorResponse {
    OperatorResponse {
        managed: Some(false),
        ..OperatorResponse::default()
    }
}
