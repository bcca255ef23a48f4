//! An earlier version of a prefix list, in force again.
//!
//! Rule: EC2 API reference, RestoreManagedPrefixListVersion.

use super::prefix_lists::{check_version, no_version, shape_in, users};
use crate::errors::{code, missing};
use crate::records::prefix_list::PREFIX_LISTS;
use aws_api::ec2::{RestoreManagedPrefixListVersionRequest, RestoreManagedPrefixListVersionResult};
use aws_types::{AwsError, Ctx};
use store::Txn;

/// RestoreManagedPrefixListVersion: the version's entries become a new version.
pub fn restore(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &RestoreManagedPrefixListVersionRequest,
) -> Result<RestoreManagedPrefixListVersionResult, AwsError> {
    let mut list = users(txn, ctx, input.prefix_list_id.as_ref())?;
    let previous = input
        .previous_version
        .ok_or_else(|| missing("previousVersion"))?;
    let current = input
        .current_version
        .ok_or_else(|| missing("currentVersion"))?;
    check_version(&list, current)?;
    let at = usize::try_from(previous)
        .ok()
        .and_then(|version| version.checked_sub(1));
    let entries = at.and_then(|at| list.versions.get(at)).cloned();
    let entries = entries.ok_or_else(no_version)?;
    if entries.len() > list.max_entries {
        return Err(code("PrefixListMaxEntriesExceeded")
            .with("You've reached the maximum number of entries for the prefix list."));
    }
    list.versions.push(entries);
    list.state = "restore-complete".into();
    txn.put(&PREFIX_LISTS, list.clone());
    Ok(RestoreManagedPrefixListVersionResult {
        prefix_list: Some(shape_in(txn, &list, "restore-in-progress")),
    })
}
