//! TagResource, UntagResource, ListTagsForResource: of namespaces and services.

use crate::records::{NAMESPACES, SERVICES};
use crate::resource::{Tagged, ask, tagged, with_tags};
use aws_api::servicediscovery::{
    ListTagsForResourceRequest, ListTagsForResourceResponse, Tag, TagResourceRequest,
    TagResourceResponse, UntagResourceRequest, UntagResourceResponse,
};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use std::collections::BTreeMap;
use store::{Txn, World};

/// Asks for the resource.
pub fn tag_asks(input: &TagResourceRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask(ctx, "TagResource", input.resource_arn.as_deref())
}

/// Puts tags over those that are there.
pub fn tag(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &TagResourceRequest,
) -> Result<TagResourceResponse, AwsError> {
    let arn = input.resource_arn.as_deref().unwrap_or_default();
    let of = tagged(txn, &ctx.scope, arn)?;
    let tags = with_tags(tags_of(txn, &of), input.tags.as_deref())?;
    put(txn, &of, tags);
    Ok(TagResourceResponse {})
}

/// Asks for the resource.
pub fn untag_asks(input: &UntagResourceRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask(ctx, "UntagResource", input.resource_arn.as_deref())
}

/// Takes tags away.
pub fn untag(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &UntagResourceRequest,
) -> Result<UntagResourceResponse, AwsError> {
    let arn = input.resource_arn.as_deref().unwrap_or_default();
    let of = tagged(txn, &ctx.scope, arn)?;
    let mut tags = tags_of(txn, &of);
    let keys = input.tag_keys.as_deref().unwrap_or_default();
    tags.retain(|key, _| !keys.contains(key));
    put(txn, &of, tags);
    Ok(UntagResourceResponse {})
}

/// Asks for the resource.
pub fn list_asks(input: &ListTagsForResourceRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask(ctx, "ListTagsForResource", input.resource_arn.as_deref())
}

/// Lists, in order of key.
pub fn list(
    world: &World,
    ctx: &mut Ctx,
    input: &ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse, AwsError> {
    let arn = input.resource_arn.as_deref().unwrap_or_default();
    let tags = tags_of(world, &tagged(world, &ctx.scope, arn)?).into_iter();
    let shown = tags.map(|(key, value)| Tag {
        key: Some(key),
        value: Some(value),
    });
    Ok(ListTagsForResourceResponse {
        tags: Some(shown.collect()),
    })
}

fn tags_of(world: &World, of: &Tagged) -> BTreeMap<String, String> {
    let tags = match of {
        Tagged::Namespace(key) => world.get(&NAMESPACES, key).map(|one| &one.tags),
        Tagged::Service(key) => world.get(&SERVICES, key).map(|one| &one.tags),
    };
    tags.cloned().unwrap_or_default()
}

fn put(txn: &mut Txn, of: &Tagged, tags: BTreeMap<String, String>) {
    match of {
        Tagged::Namespace(key) => txn.update(&NAMESPACES, key, |one| one.tags = tags),
        Tagged::Service(key) => txn.update(&SERVICES, key, |one| one.tags = tags),
    };
}
