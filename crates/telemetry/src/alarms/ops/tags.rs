//! TagResource, UntagResource, ListTagsForResource: of alarms.

use crate::alarms::records::{ALARMS, AlarmKey, AlarmRecord};
use crate::errors::{invalid, value};
use aws_api::cloudwatch::errors::RESOURCE_NOT_FOUND_EXCEPTION;
use aws_api::cloudwatch::{
    ListTagsForResourceInput, ListTagsForResourceOutput, Tag, TagResourceInput, TagResourceOutput,
    UntagResourceInput, UntagResourceOutput,
};
use aws_types::{Arn, AwsError, Ctx};
use iam::Ask;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{Txn, World};

/// User guide, "Tagging": tags of a resource.
const TAGS_MAX: usize = 50;

/// Asks for the resource.
pub fn tag_asks(input: &TagResourceInput, _: &World, _: &Ctx) -> Vec<Ask> {
    ask("TagResource", input.resource_arn.as_deref())
}

/// Puts tags over those that are there.
pub fn tag(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &TagResourceInput,
) -> Result<TagResourceOutput, AwsError> {
    let alarm = tagged(txn, ctx, input.resource_arn.as_deref())?.clone();
    let tags = with_tags(alarm.tags.clone(), input.tags.as_deref())?;
    txn.update(&ALARMS, &alarm.key, |alarm| alarm.tags = tags);
    Ok(TagResourceOutput {})
}

/// Asks for the resource.
pub fn untag_asks(input: &UntagResourceInput, _: &World, _: &Ctx) -> Vec<Ask> {
    ask("UntagResource", input.resource_arn.as_deref())
}

/// Takes tags away.
pub fn untag(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &UntagResourceInput,
) -> Result<UntagResourceOutput, AwsError> {
    let key = tagged(txn, ctx, input.resource_arn.as_deref())?.key.clone();
    let gone = input.tag_keys.as_deref().unwrap_or_default();
    txn.update(&ALARMS, &key, |alarm| {
        alarm.tags.retain(|key, _| !gone.contains(key));
    });
    Ok(UntagResourceOutput {})
}

/// Asks for the resource.
pub fn list_asks(input: &ListTagsForResourceInput, _: &World, _: &Ctx) -> Vec<Ask> {
    ask("ListTagsForResource", input.resource_arn.as_deref())
}

/// Lists, in order of key.
pub fn list(
    world: &World,
    ctx: &mut Ctx,
    input: &ListTagsForResourceInput,
) -> Result<ListTagsForResourceOutput, AwsError> {
    let alarm = tagged(world, ctx, input.resource_arn.as_deref())?;
    let tags = alarm.tags.iter().map(|(key, value)| Tag {
        key: Some(key.clone()),
        value: Some(value.clone()),
    });
    Ok(ListTagsForResourceOutput {
        tags: Some(tags.collect()),
    })
}

fn ask(action: &str, arn: Option<&str>) -> Vec<Ask> {
    vec![Ask {
        action: format!("cloudwatch:{action}"),
        resource: arn.unwrap_or_default().into(),
    }]
}

fn tagged<'w>(
    world: &'w World,
    ctx: &Ctx,
    arn: Option<&str>,
) -> Result<&'w Arc<AlarmRecord>, AwsError> {
    let arn = arn.unwrap_or_default();
    let parsed = arn.parse::<Arn>().ok();
    let name = parsed
        .as_ref()
        .filter(|arn| arn.service == "cloudwatch")
        .and_then(|arn| arn.resource.strip_prefix("alarm:"))
        .ok_or_else(|| value(format!("{arn} is not the ARN of an alarm.")))?;
    let key = AlarmKey::new(&ctx.scope, name);
    let found = world.get(&ALARMS, &key).filter(|_| key.arn() == arn);
    found.ok_or_else(|| {
        RESOURCE_NOT_FOUND_EXCEPTION.with(format!("The resource {arn} does not exist."))
    })
}

/// Tags with these over them.
///
/// # Errors
/// Too many, or a reserved key.
pub fn with_tags(
    mut tags: BTreeMap<String, String>,
    given: Option<&[Tag]>,
) -> Result<BTreeMap<String, String>, AwsError> {
    for tag in given.unwrap_or_default() {
        let key = tag.key.clone().unwrap_or_default();
        let start = key.get(..4).unwrap_or_default();
        if start.eq_ignore_ascii_case("aws:") {
            return Err(invalid(
                "aws: prefixed tag key names are not allowed for external use.",
            ));
        }
        tags.insert(key, tag.value.clone().unwrap_or_default());
    }
    match tags.len() <= TAGS_MAX {
        true => Ok(tags),
        false => Err(invalid(format!(
            "A resource can have at most {TAGS_MAX} tags."
        ))),
    }
}
