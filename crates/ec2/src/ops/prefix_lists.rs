//! Managed prefix lists.
//!
//! Rule: EC2 API reference, CreateManagedPrefixList and ModifyManagedPrefixList.

use crate::errors::{code, invalid_combination, invalid_parameter, missing, refuse, required};
use crate::filter::{self, Field, fields};
use crate::page::page;
use crate::prefix_list::{check_unused, is_of_service, of_services, require};
use crate::records::ResourceKey;
use crate::records::prefix_list::{PREFIX_LISTS, PrefixEntry, PrefixListRecord};
use crate::resource::{Kind, Resource, lookup};
use crate::{tags, tokens};
use aws_api::ec2::{
    AddPrefixListEntry, CreateManagedPrefixListRequest, CreateManagedPrefixListResult,
    DeleteManagedPrefixListRequest, DeleteManagedPrefixListResult,
    DescribeManagedPrefixListsRequest, DescribeManagedPrefixListsResult,
    DescribePrefixListsRequest, DescribePrefixListsResult, GetManagedPrefixListEntriesRequest,
    GetManagedPrefixListEntriesResult, ManagedPrefixList, ModifyManagedPrefixListRequest,
    ModifyManagedPrefixListResult, PrefixList, PrefixListEntry,
};
use aws_types::{AwsError, Ctx};
use ipnet::IpNet;
use store::{Table, Txn, World};

/// Entries of a list. Rule: quotas of Amazon VPC.
const ENTRIES_MAX: i32 = 1000;
/// Entries added or removed by one request. Rule: EC2 API reference, ModifyManagedPrefixList.
const CHANGES_MAX: usize = 100;

impl Resource for PrefixListRecord {
    const KIND: Kind = Kind {
        prefix: "pl",
        name: "prefix-list",
        noun: "prefix list ID",
        not_found: "InvalidPrefixListID.NotFound",
        malformed: "InvalidPrefixListId.Malformed",
        parameter: "prefixListId",
    };
    fn table() -> &'static Table<ResourceKey, Self> {
        &PREFIX_LISTS
    }
    fn fields() -> &'static [Field<Self>] {
        FIELDS
    }
    fn key(&self) -> &ResourceKey {
        &self.key
    }
}

/// Rule: EC2 API reference, DescribeManagedPrefixLists, `Filter.N`.
const FIELDS: &[Field<PrefixListRecord>] = fields![
    "owner-id" => |_, list| [owner(list)],
    "prefix-list-id" => |_, list| [list.key.id.clone()],
    "prefix-list-name" => |_, list| [list.name.clone()],
];

fn owner(list: &PrefixListRecord) -> String {
    match is_of_service(&list.key.id) {
        true => "AWS".into(),
        false => list.key.scope.account.clone(),
    }
}

/// CreateManagedPrefixList.
pub fn create(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &CreateManagedPrefixListRequest,
) -> Result<CreateManagedPrefixListResult, AwsError> {
    let made = tokens::once(txn, ctx, input.client_token.as_ref(), input, |txn, ctx| {
        make(txn, ctx, input)
    })?;
    Ok(CreateManagedPrefixListResult {
        prefix_list: Some(shape_in(txn, &made, "create-in-progress")),
    })
}

fn make(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &CreateManagedPrefixListRequest,
) -> Result<PrefixListRecord, AwsError> {
    let name = name(input.prefix_list_name.as_ref())?;
    let is_ipv6 = match required(input.address_family.as_ref(), "addressFamily")? {
        "IPv4" => false,
        "IPv6" => true,
        other => {
            let why = "Expecting IPv4 or IPv6.";
            return Err(invalid_parameter("addressFamily", other, why));
        }
    };
    let mut made = PrefixListRecord {
        key: ResourceKey::fresh(ctx, "pl"),
        name,
        is_ipv6,
        max_entries: max_entries(input.max_entries.ok_or_else(|| missing("maxEntries"))?)?,
        state: "create-complete".into(),
        versions: vec![],
    };
    let entries = input.entries.as_deref().unwrap_or_default();
    made.versions = vec![added(&made, vec![], entries)?];
    txn.put(&PREFIX_LISTS, made.clone());
    let given = input.tag_specifications.as_ref();
    tags::create(txn, &made.key, PrefixListRecord::KIND, given)?;
    Ok(made)
}

fn name(given: Option<&String>) -> Result<String, AwsError> {
    let name = required(given, "prefixListName")?;
    match name.len() <= 255 && !name.starts_with("com.amazonaws") {
        true => Ok(name.into()),
        false => Err(invalid_parameter(
            "prefixListName",
            name,
            "Up to 255 characters that do not begin with com.amazonaws are allowed.",
        )),
    }
}

fn max_entries(given: i32) -> Result<usize, AwsError> {
    let number = usize::try_from(given).ok();
    let number = number.filter(|_| (1..=ENTRIES_MAX).contains(&given));
    number.ok_or_else(|| {
        let why = "Expecting a value between 1 and 1000.";
        invalid_parameter("maxEntries", &given.to_string(), why)
    })
}

/// Entries with more of them, in order; one that is there gets its description anew.
fn added(
    list: &PrefixListRecord,
    mut entries: Vec<PrefixEntry>,
    more: &[AddPrefixListEntry],
) -> Result<Vec<PrefixEntry>, AwsError> {
    check_count(more.len())?;
    for one in more {
        let cidr = range(list, one.cidr.as_ref())?;
        entries.retain(|entry| entry.cidr != cidr);
        entries.push(PrefixEntry {
            cidr,
            description: one.description.clone().filter(|text| !text.is_empty()),
        });
    }
    entries.sort_by_key(|entry| entry.cidr);
    match entries.len() <= list.max_entries {
        true => Ok(entries),
        false => Err(code("PrefixListMaxEntriesExceeded")
            .with("You've reached the maximum number of entries for the prefix list.")),
    }
}

fn check_count(count: usize) -> Result<(), AwsError> {
    match count <= CHANGES_MAX {
        true => Ok(()),
        false => Err(code("RequestLimitExceeded").with(format!(
            "A request may add or remove up to {CHANGES_MAX} entries."
        ))),
    }
}

fn range(list: &PrefixListRecord, text: Option<&String>) -> Result<IpNet, AwsError> {
    let text = required(text, "cidr")?;
    let net: Option<IpNet> = text.parse().ok();
    let is_own = |net: &IpNet| matches!(net, IpNet::V6(_)) == list.is_ipv6;
    net.filter(is_own).map(|net| net.trunc()).ok_or_else(|| {
        let why = "This is not a valid CIDR block of the list's address family.";
        invalid_parameter("cidr", text, why)
    })
}

/// ModifyManagedPrefixList.
pub fn modify(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &ModifyManagedPrefixListRequest,
) -> Result<ModifyManagedPrefixListResult, AwsError> {
    let sync = input.ipam_prefix_list_resolver_sync_enabled;
    refuse(&[("IpamPrefixListResolverSyncEnabled", sync.is_some())])?;
    let mut list = users(txn, ctx, input.prefix_list_id.as_ref())?;
    if let Some(given) = &input.prefix_list_name {
        list.name = name(Some(given))?;
    }
    let more = input.add_entries.as_deref().unwrap_or_default();
    let less = input.remove_entries.as_deref().unwrap_or_default();
    if !more.is_empty() || !less.is_empty() {
        if input.max_entries.is_some() {
            return Err(invalid_combination(
                "The maximum number of entries and the entries cannot be modified at the same time.",
            ));
        }
        let version = input
            .current_version
            .ok_or_else(|| missing("currentVersion"))?;
        check_version(&list, version)?;
        check_count(less.len())?;
        let mut entries = list.entries().to_vec();
        for one in less {
            let cidr = range(&list, one.cidr.as_ref())?;
            let at = entries.iter().position(|entry| entry.cidr == cidr);
            let at = at.ok_or_else(|| {
                code("InvalidPrefixListModification")
                    .with(format!("The prefix list has no entry for the CIDR {cidr}."))
            })?;
            entries.remove(at);
        }
        let entries = added(&list, entries, more)?;
        list.versions.push(entries);
    }
    if let Some(given) = input.max_entries {
        list.max_entries = max_entries(given)?;
        if list.entries().len() > list.max_entries {
            let why = "The prefix list has more entries.";
            return Err(invalid_parameter("maxEntries", &given.to_string(), why));
        }
    }
    list.state = "modify-complete".into();
    txn.put(&PREFIX_LISTS, list.clone());
    Ok(ModifyManagedPrefixListResult {
        prefix_list: Some(shape_in(txn, &list, "modify-in-progress")),
    })
}

/// Nobody else changed the list since the caller looked.
pub(super) fn check_version(list: &PrefixListRecord, version: i64) -> Result<(), AwsError> {
    match usize::try_from(version).ok() == Some(list.versions.len()) {
        true => Ok(()),
        false => Err(code("PrefixListVersionMismatch")
            .with("The prefix list has the incorrect version number.")),
    }
}

pub(super) fn no_version() -> AwsError {
    code("PrefixListVersionNotFound").with("The prefix list version does not exist.")
}

/// The list of this id, if it is a user's.
pub(super) fn users(
    world: &World,
    ctx: &Ctx,
    id: Option<&String>,
) -> Result<PrefixListRecord, AwsError> {
    let id = required(id, "prefixListId")?;
    match is_of_service(id) {
        false => Ok(lookup::<PrefixListRecord>(world, &ctx.scope, id)?
            .as_ref()
            .clone()),
        true => Err(code("OperationNotPermitted")
            .with(format!("The prefix list '{id}' is managed by AWS."))),
    }
}

/// DeleteManagedPrefixList: not while a rule or a route names it.
pub fn delete(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DeleteManagedPrefixListRequest,
) -> Result<DeleteManagedPrefixListResult, AwsError> {
    let list = users(txn, ctx, input.prefix_list_id.as_ref())?;
    check_unused(txn, &list)?;
    let shape = shape_in(txn, &list, "delete-in-progress");
    txn.delete(&PREFIX_LISTS, &list.key);
    tags::forget(txn, &list.key);
    Ok(DeleteManagedPrefixListResult {
        prefix_list: Some(shape),
    })
}

/// The lists of these ids, or all; AWS's own ones too.
fn chosen(
    world: &World,
    ctx: &Ctx,
    ids: Option<&Vec<String>>,
) -> Result<Vec<PrefixListRecord>, AwsError> {
    let mut lists = match ids.filter(|ids| !ids.is_empty()) {
        Some(ids) => ids
            .iter()
            .map(|id| require(world, &ctx.scope, id))
            .collect::<Result<Vec<_>, _>>()?,
        None => {
            let own = ResourceKey::prefix(&ctx.scope);
            let users = world.scan_prefix(&PREFIX_LISTS, &own, None);
            let mut all = of_services(&ctx.scope);
            all.extend(users.map(|(_, list)| list.as_ref().clone()));
            all
        }
    };
    lists.sort_by(|a, b| a.key.id.cmp(&b.key.id));
    lists.dedup_by(|a, b| a.key == b.key);
    Ok(lists)
}

/// DescribeManagedPrefixLists.
pub fn describe(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeManagedPrefixListsRequest,
) -> Result<DescribeManagedPrefixListsResult, AwsError> {
    let filter = filter::compile(input.filters.as_ref(), FIELDS)?;
    let lists = chosen(world, ctx, input.prefix_list_ids.as_ref())?.into_iter();
    let lists = lists
        .filter(|list| filter.matches(world, list, || tags::of(world, &list.key)))
        .map(|list| (list.key.id.clone(), shape(world, &list)));
    let page = page(lists, input.next_token.as_ref(), input.max_results)?;
    Ok(DescribeManagedPrefixListsResult {
        next_token: page.next_token,
        prefix_lists: Some(page.items),
    })
}

/// DescribePrefixLists: those of services.
pub fn describe_of_services(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribePrefixListsRequest,
) -> Result<DescribePrefixListsResult, AwsError> {
    let filter = filter::compile(input.filters.as_ref(), FIELDS)?;
    let lists = chosen(world, ctx, input.prefix_list_ids.as_ref())?.into_iter();
    let lists = lists
        .filter(|list| is_of_service(&list.key.id))
        .filter(|list| filter.matches(world, list, || tags::of(world, &list.key)))
        .map(|list| {
            let shape = PrefixList {
                cidrs: Some(vec![]),
                prefix_list_id: Some(list.key.id.clone()),
                prefix_list_name: Some(list.name),
            };
            (list.key.id, shape)
        });
    let page = page(lists, input.next_token.as_ref(), input.max_results)?;
    Ok(DescribePrefixListsResult {
        next_token: page.next_token,
        prefix_lists: Some(page.items),
    })
}

/// GetManagedPrefixListEntries, of the version that is asked for, or of the present one.
pub fn entries(
    world: &World,
    ctx: &mut Ctx,
    input: &GetManagedPrefixListEntriesRequest,
) -> Result<GetManagedPrefixListEntriesResult, AwsError> {
    let id = required(input.prefix_list_id.as_ref(), "prefixListId")?;
    let list = require(world, &ctx.scope, id)?;
    let wanted = match input.target_version {
        None => Some(list.versions.len()),
        Some(version) => usize::try_from(version).ok(),
    };
    let entries = wanted.and_then(|version| list.versions.get(version.checked_sub(1)?));
    let entries = entries.ok_or_else(no_version)?;
    let shapes = entries.iter().enumerate().map(|(at, entry)| {
        let shape = PrefixListEntry {
            cidr: Some(entry.cidr.to_string()),
            description: entry.description.clone(),
        };
        (format!("{at:06}"), shape)
    });
    let page = page(shapes, input.next_token.as_ref(), input.max_results)?;
    Ok(GetManagedPrefixListEntriesResult {
        entries: Some(page.items),
        next_token: page.next_token,
    })
}

pub(super) fn shape_in(world: &World, list: &PrefixListRecord, state: &str) -> ManagedPrefixList {
    ManagedPrefixList {
        state: Some(state.into()),
        ..shape(world, list)
    }
}

fn shape(world: &World, list: &PrefixListRecord) -> ManagedPrefixList {
    let is_users = !is_of_service(&list.key.id);
    let scope = &list.key.scope;
    let arn = match is_users {
        true => list.key.arn("prefix-list"),
        false => format!(
            "arn:aws:ec2:{}:aws:prefix-list/{}",
            scope.region, list.key.id
        ),
    };
    ManagedPrefixList {
        address_family: Some(if list.is_ipv6 { "IPv6" } else { "IPv4" }.into()),
        max_entries: i32::try_from(list.max_entries).ok().filter(|_| is_users),
        owner_id: Some(owner(list)),
        prefix_list_arn: Some(arn),
        prefix_list_id: Some(list.key.id.clone()),
        prefix_list_name: Some(list.name.clone()),
        state: Some(list.state.clone()),
        tags: Some(tags::shape(world, &list.key)),
        version: i64::try_from(list.versions.len()).ok().filter(|_| is_users),
        ..ManagedPrefixList::default()
    }
}
