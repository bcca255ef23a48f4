//! Tags: those given when something is made, and those put and taken later.

use crate::errors::{code, invalid_value};
use crate::records::ResourceKey;
use crate::records::tag::{TAGS, TagKey, TagRecord, of_resource};
use crate::resource::Kind;
use aws_api::ec2::{Tag, TagSpecification};
use aws_types::AwsError;
use std::collections::BTreeMap;
use store::{Txn, World};

/// Tags of a resource. Rule: EC2 user guide, "Tag restrictions".
const TAGS_MAX: usize = 50;
const KEY_MAX: usize = 128;
const VALUE_MAX: usize = 256;

/// The kind of a resource by what its id begins with.
const KINDS: &[(&str, &str)] = &[
    ("acl", "network-acl"),
    ("dopt", "dhcp-options"),
    ("eigw", "egress-only-internet-gateway"),
    ("eipalloc", "elastic-ip"),
    ("eni", "network-interface"),
    ("igw", "internet-gateway"),
    ("lt", "launch-template"),
    ("nat", "natgateway"),
    ("pl", "prefix-list"),
    ("rtb", "route-table"),
    ("sg", "security-group"),
    ("sgr", "security-group-rule"),
    ("subnet", "subnet"),
    ("vpc", "vpc"),
    ("vpce", "vpc-endpoint"),
];

/// What kind of resource has this id, as tags name it.
#[must_use]
pub fn kind_of(id: &str) -> Option<&'static str> {
    let prefix = id.split_once('-')?.0;
    let found = KINDS.iter().find(|(known, _)| *known == prefix);
    found.map(|(_, kind)| *kind)
}

/// The tags of a resource by key.
#[must_use]
pub fn of(world: &World, resource: &ResourceKey) -> BTreeMap<String, String> {
    let own = of_resource(resource);
    let rows = world.scan_prefix(&TAGS, &own, None);
    rows.map(|(_, tag)| (tag.key.key.clone(), tag.value.clone()))
        .collect()
}

/// The tags of a resource as answers have them.
#[must_use]
pub fn shape(world: &World, resource: &ResourceKey) -> Vec<Tag> {
    let tags = of(world, resource).into_iter();
    tags.map(|(key, value)| Tag {
        key: Some(key),
        value: Some(value),
    })
    .collect()
}

/// Tags something new as its request says.
///
/// # Errors
/// `InvalidParameterValue` for tags of another kind of thing, and as [`put_all`].
pub fn create(
    txn: &mut Txn,
    resource: &ResourceKey,
    kind: Kind,
    given: Option<&Vec<TagSpecification>>,
) -> Result<(), AwsError> {
    for specification in given.into_iter().flatten() {
        let of = specification.resource_type.as_deref().unwrap_or_default();
        if of != kind.name {
            return Err(invalid_value(format!(
                "'{of}' is not a valid taggable resource type for this operation."
            )));
        }
        put_all(
            txn,
            resource,
            specification.tags.as_deref().unwrap_or_default(),
        )?;
    }
    Ok(())
}

/// Puts tags over those of a resource.
///
/// # Errors
/// `InvalidParameterValue`, `TagLimitExceeded`.
pub fn put_all(txn: &mut Txn, resource: &ResourceKey, tags: &[Tag]) -> Result<(), AwsError> {
    for tag in tags {
        let key = tag.key.as_deref().unwrap_or_default();
        let value = tag.value.as_deref().unwrap_or_default();
        check(key, value)?;
        put(txn, resource, key, value);
    }
    let own = of(txn, resource).into_keys();
    match own.filter(|key| !key.starts_with("aws:")).count() <= TAGS_MAX {
        true => Ok(()),
        false => Err(code("TagLimitExceeded").with(format!(
            "The maximum number of Tags for a resource has been reached. The limit is {TAGS_MAX}."
        ))),
    }
}

fn check(key: &str, value: &str) -> Result<(), AwsError> {
    if key.is_empty() || key.chars().count() > KEY_MAX {
        return Err(invalid_value(format!(
            "Tag key exceeds the maximum length of {KEY_MAX} characters, or is empty"
        )));
    }
    if value.chars().count() > VALUE_MAX {
        return Err(invalid_value(format!(
            "Tag value exceeds the maximum length of {VALUE_MAX} characters"
        )));
    }
    match key.get(..4) {
        Some(start) if start.eq_ignore_ascii_case("aws:") => Err(invalid_value(
            "Tag keys starting with 'aws:' are reserved for internal use",
        )),
        _ => Ok(()),
    }
}

/// Puts one tag, reserved or not: services do so.
pub fn put(txn: &mut Txn, resource: &ResourceKey, key: &str, value: &str) {
    let key = TagKey {
        resource: resource.clone(),
        key: key.into(),
    };
    txn.put(
        &TAGS,
        TagRecord {
            key,
            value: value.into(),
        },
    );
}

/// Takes the tag of this key; where a value is given, only if it has it.
pub fn take(txn: &mut Txn, resource: &ResourceKey, key: &str, value: Option<&str>) {
    let key = TagKey {
        resource: resource.clone(),
        key: key.into(),
    };
    let is_it = txn
        .get(&TAGS, &key)
        .is_some_and(|tag| value.is_none_or(|value| tag.value == value));
    if is_it {
        txn.delete(&TAGS, &key);
    }
}

/// Forgets all tags of something that goes.
pub fn forget(txn: &mut Txn, resource: &ResourceKey) {
    for key in of(txn, resource).into_keys() {
        take(txn, resource, &key, None);
    }
}
