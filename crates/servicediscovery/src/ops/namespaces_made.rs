//! CreateHttpNamespace, CreatePrivateDnsNamespace; CreatePublicDnsNamespace is refused with the reason.
//!
//! Rule: API reference; service quotas: 50 namespaces of a region.

use crate::errors::{invalid, limit};
use crate::operation;
use crate::records::{BY_VPC, ItemKey, NAMESPACES, NamespaceRecord, Zone, prefix};
use crate::resource::{ask, namespace_named, with_tags};
use aws_api::servicediscovery::{
    CreateHttpNamespaceRequest, CreateHttpNamespaceResponse, CreatePrivateDnsNamespaceRequest,
    CreatePrivateDnsNamespaceResponse, CreatePublicDnsNamespaceRequest,
    CreatePublicDnsNamespaceResponse, Tag, errors,
};
use aws_types::{AwsError, Ctx};
use ec2::records::{ResourceKey, VPCS};
use iam::Ask;
use store::{Key, Txn, World};

/// Of a region.
pub(crate) const NAMESPACES_MAX: usize = 50;
/// API reference, SOA: seconds, where none are given.
const SOA_TTL: i64 = 15;
const LABEL_LEN_MAX: usize = 63;

/// Asks for every namespace.
pub fn http_asks(_: &CreateHttpNamespaceRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask(ctx, "CreateHttpNamespace", None)
}

/// Asks for every namespace.
pub fn private_asks(_: &CreatePrivateDnsNamespaceRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask(ctx, "CreatePrivateDnsNamespace", None)
}

/// Asks for every namespace.
pub fn public_asks(_: &CreatePublicDnsNamespaceRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask(ctx, "CreatePublicDnsNamespace", None)
}

struct Wanted<'a> {
    name: Option<&'a str>,
    zone: Option<Zone>,
    description: Option<&'a String>,
    request: Option<&'a String>,
    tags: Option<&'a [Tag]>,
}

/// Makes a namespace that only calls know.
pub fn create_http(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &CreateHttpNamespaceRequest,
) -> Result<CreateHttpNamespaceResponse, AwsError> {
    let wanted = Wanted {
        name: input.name.as_deref(),
        zone: None,
        description: input.description.as_ref(),
        request: input.creator_request_id.as_ref(),
        tags: input.tags.as_deref(),
    };
    let operation_id = Some(make(txn, ctx, wanted)?);
    Ok(CreateHttpNamespaceResponse { operation_id })
}

/// Makes a namespace that is a zone of a VPC.
pub fn create_private(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &CreatePrivateDnsNamespaceRequest,
) -> Result<CreatePrivateDnsNamespaceResponse, AwsError> {
    let vpc = input.vpc.as_deref().unwrap_or_default();
    if txn.get(&VPCS, &ResourceKey::new(&ctx.scope, vpc)).is_none() {
        return Err(invalid(format!(
            "The VPC that you specified, {vpc}, can't be found."
        )));
    }
    let name = input.name.as_deref().unwrap_or_default();
    check_domain(name)?;
    let properties = input
        .properties
        .as_ref()
        .and_then(|p| p.dns_properties.as_ref());
    let soa = properties
        .and_then(|dns| dns.soa.as_ref())
        .and_then(|soa| soa.ttl);
    let wanted = Wanted {
        name: Some(name),
        zone: Some(Zone {
            vpc: vpc.into(),
            hosted_zone: format!("Z{}", ctx.ids.hex(20).to_uppercase()),
            soa_ttl: soa.unwrap_or(SOA_TTL),
        }),
        description: input.description.as_ref(),
        request: input.creator_request_id.as_ref(),
        tags: input.tags.as_deref(),
    };
    let operation_id = Some(make(txn, ctx, wanted)?);
    Ok(CreatePrivateDnsNamespaceResponse { operation_id })
}

/// No public zone is served here.
pub fn create_public(
    _: &mut Txn,
    _: &mut Ctx,
    _: &CreatePublicDnsNamespaceRequest,
) -> Result<CreatePublicDnsNamespaceResponse, AwsError> {
    Err(invalid(
        "Longshore does not yet support public DNS namespaces: use a private or an HTTP namespace.",
    ))
}

/// A name of a zone is labels with dots between.
fn check_domain(name: &str) -> Result<(), AwsError> {
    let is_label = |label: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (1..=LABEL_LEN_MAX).contains(&label.len()) && label.bytes().all(fits)
    };
    match name.split('.').all(is_label) {
        true => Ok(()),
        false => Err(invalid(format!("Invalid domain name: {name}"))),
    }
}

fn make(txn: &mut Txn, ctx: &mut Ctx, wanted: Wanted<'_>) -> Result<String, AwsError> {
    let name = wanted.name.unwrap_or_default();
    let exists = || {
        let text = format!("A namespace with the name {name} already exists.");
        errors::NAMESPACE_ALREADY_EXISTS.with(text)
    };
    if name.starts_with("arn:") {
        return Err(invalid("The name of a namespace can't begin with arn:."));
    }
    let is_taken = namespace_named(txn, &ctx.scope, name).is_some();
    match &wanted.zone {
        None if is_taken => return Err(exists()),
        Some(zone) if in_vpc(txn, &zone.vpc, name) => return Err(exists()),
        _ => {}
    }
    if txn
        .scan_prefix(&NAMESPACES, &prefix(&ctx.scope), None)
        .count()
        >= NAMESPACES_MAX
    {
        return Err(limit("namespaces", NAMESPACES_MAX));
    }
    let tags = with_tags(Default::default(), wanted.tags)?;
    let key = ItemKey::fresh(ctx, "ns");
    let id = key.id.clone();
    let namespace = NamespaceRecord {
        // Two VPCs may each have a zone of one name, but a call names one namespace.
        http_name: match is_taken {
            true => format!("{name}-{id}"),
            false => name.into(),
        },
        name: name.into(),
        zone: wanted.zone,
        description: wanted.description.cloned(),
        creator_request_id: wanted.request.cloned(),
        created: ctx.now,
        tags,
        key,
    };
    txn.put(&NAMESPACES, namespace);
    Ok(operation::done(
        txn,
        ctx,
        "CREATE_NAMESPACE",
        &[("NAMESPACE", &id)],
    ))
}

fn in_vpc(world: &World, vpc: &str, name: &str) -> bool {
    let mut own = world.find_after(&NAMESPACES, &BY_VPC, &Key::of(&[vpc]), None);
    own.any(|namespace| namespace.name.eq_ignore_ascii_case(name))
}
