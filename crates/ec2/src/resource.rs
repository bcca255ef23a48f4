//! What all kinds of resources share: they are found by id, described by filters, tagged.

use crate::errors::{code, invalid_combination};
use crate::filter::{self, Field};
use crate::page::{Page, page};
use crate::records::ResourceKey;
use crate::tags;
use aws_api::ec2::Filter;
use aws_types::{AwsError, Ctx, Scope};
use std::sync::Arc;
use store::{Record, Table, World};

/// How a kind of resource is called.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// What its ids begin with.
    pub prefix: &'static str,
    /// As tags and ARNs have it, e.g. `security-group`.
    pub name: &'static str,
    /// As errors have it, e.g. `security group`.
    pub noun: &'static str,
    /// The code for an id that no resource has.
    pub not_found: &'static str,
    /// The code for what is no id at all.
    pub malformed: &'static str,
    /// The parameter of its ids in Describe calls.
    pub parameter: &'static str,
}

/// Something with an id.
pub trait Resource: Record + Sized {
    /// How it is called.
    const KIND: Kind;
    /// Whether its Describe call leaves out an id that nothing has, where others refuse it.
    const LEAVES_OUT_UNKNOWN: bool = false;
    /// Where all are.
    fn table() -> &'static Table<ResourceKey, Self>;
    /// By what they are filtered, beside their tags.
    fn fields() -> &'static [Field<Self>];
    /// Its scope and id.
    fn key(&self) -> &ResourceKey;
}

/// The resource of this id.
///
/// # Errors
/// The kind's own, for an id that is none or that nothing has.
pub fn lookup<'w, R: Resource>(
    world: &'w World,
    scope: &Scope,
    id: &str,
) -> Result<&'w Arc<R>, AwsError> {
    let kind = R::KIND;
    let key = ResourceKey::new(scope, id);
    if let Some(found) = world.get(R::table(), &key) {
        return Ok(found);
    }
    Err(unknown(kind, id))
}

/// The error of a kind for an id that is none, or that nothing has.
#[must_use]
pub fn unknown(kind: Kind, id: &str) -> AwsError {
    let rest = id.strip_prefix(kind.prefix);
    let is_id = rest.is_some_and(|rest| rest.starts_with('-'));
    match is_id {
        true => code(kind.not_found).with(format!("The {} '{id}' does not exist", kind.noun)),
        false => code(kind.malformed).with(format!(
            "Invalid id: \"{id}\" (expecting \"{}-...\")",
            kind.prefix
        )),
    }
}

/// The parameters that every Describe call has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Query<'a> {
    /// Which; all where none is named.
    pub ids: Option<&'a Vec<String>>,
    /// `Filters`.
    pub filters: Option<&'a Vec<Filter>>,
    /// `MaxResults`.
    pub max_results: Option<i32>,
    /// `NextToken`.
    pub next_token: Option<&'a String>,
}

/// The resources that a Describe call asks for, in order of id.
///
/// # Errors
/// An id that nothing has, an unknown filter, a page out of range.
pub fn describe<R: Resource>(
    world: &World,
    ctx: &Ctx,
    query: Query<'_>,
) -> Result<Page<Arc<R>>, AwsError> {
    let tags = |resource: &Arc<R>| tags::of(world, resource.key());
    let filter = filter::compile(query.filters, R::fields())?;
    let keep = |resource: &Arc<R>| filter.matches(world, resource.as_ref(), || tags(resource));
    if let Some(ids) = query.ids.filter(|ids| !ids.is_empty()) {
        if query.max_results.is_some() {
            let parameter = R::KIND.parameter;
            return Err(invalid_combination(format!(
                "The parameter {parameter} cannot be used with the parameter maxResults"
            )));
        }
        let mut found = Vec::new();
        for id in ids {
            match lookup::<R>(world, &ctx.scope, id) {
                Ok(one) => found.push(one.clone()),
                Err(error) if R::LEAVES_OUT_UNKNOWN && error.code().name == R::KIND.not_found => {}
                Err(error) => return Err(error),
            }
        }
        found.sort_by(|a, b| a.key().cmp(b.key()));
        found.dedup_by(|a, b| a.key() == b.key());
        found.retain(keep);
        return Ok(Page {
            items: found,
            next_token: None,
        });
    }
    let prefix = ResourceKey::prefix(&ctx.scope);
    let all = world
        .scan_prefix(R::table(), &prefix, None)
        .map(|(_, resource)| resource)
        .filter(|resource| keep(resource))
        .map(|resource| (resource.key().id.clone(), resource.clone()));
    page(all, query.next_token, query.max_results)
}
