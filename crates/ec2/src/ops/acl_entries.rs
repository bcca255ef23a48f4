//! Entries of network ACLs.
//!
//! Rule: EC2 API reference, CreateNetworkAclEntry; VPC user guide, "Network ACL rules"; quotas of
//! Amazon VPC.

use crate::cidr;
use crate::errors::{code, invalid_combination, invalid_parameter, missing, required};
use crate::records::acl::{ACLS, AclEntryRecord, AclRecord, LAST};
use crate::resource::lookup;
use aws_api::Empty;
use aws_api::ec2::{
    CreateNetworkAclEntryRequest, DeleteNetworkAclEntryRequest, IcmpTypeCode, PortRange,
    ReplaceNetworkAclEntryRequest,
};
use aws_types::{AwsError, Ctx};
use ipnet::IpNet;
use std::sync::Arc;
use store::{Txn, World};

/// Entries of an ACL in one direction, with those that every ACL ends with.
const ENTRIES_MAX: usize = 20;

macro_rules! entry {
    ($input:ident) => {{
        let protocol = protocol($input.protocol.as_ref())?;
        let cidr = cidr($input.cidr_block.as_ref(), $input.ipv6_cidr_block.as_ref())?;
        AclEntryRecord {
            number: number($input.rule_number)?,
            egress: egress($input.egress)?,
            allow: allow($input.rule_action.as_ref())?,
            cidr,
            protocol,
            ports: ports(protocol, $input.port_range.as_ref())?,
            icmp: icmp(protocol, $input.icmp_type_code.as_ref())?,
        }
    }};
}

/// CreateNetworkAclEntry.
pub fn create(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &CreateNetworkAclEntryRequest,
) -> Result<Empty, AwsError> {
    let acl = chosen(txn, ctx, input.network_acl_id.as_ref())?;
    let entry = entry!(input);
    if find(&acl, entry.egress, entry.number).is_some() {
        return Err(code("NetworkAclEntryAlreadyExists").with(format!(
            "The network acl entry identified by {} already exists.",
            entry.number
        )));
    }
    let same = acl.entries.iter().filter(|one| one.egress == entry.egress);
    if same.count() + 1 >= ENTRIES_MAX {
        return Err(code("NetworkAclEntryLimitExceeded")
            .with("The maximum number of network acl entries has been reached."));
    }
    put(txn, &acl, entry);
    Ok(Empty {})
}

/// ReplaceNetworkAclEntry.
pub fn replace(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &ReplaceNetworkAclEntryRequest,
) -> Result<Empty, AwsError> {
    let acl = chosen(txn, ctx, input.network_acl_id.as_ref())?;
    let entry = entry!(input);
    find(&acl, entry.egress, entry.number).ok_or_else(|| not_found(entry.number))?;
    put(txn, &acl, entry);
    Ok(Empty {})
}

/// DeleteNetworkAclEntry.
pub fn delete(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &DeleteNetworkAclEntryRequest,
) -> Result<Empty, AwsError> {
    let acl = chosen(txn, ctx, input.network_acl_id.as_ref())?;
    let (number, egress) = (number(input.rule_number)?, egress(input.egress)?);
    find(&acl, egress, number).ok_or_else(|| not_found(number))?;
    txn.update(&ACLS, &acl.key, |acl| {
        let is_it = |one: &AclEntryRecord| one.egress == egress && one.number == number;
        acl.entries.retain(|one| !is_it(one));
    });
    Ok(Empty {})
}

fn chosen(world: &World, ctx: &Ctx, id: Option<&String>) -> Result<Arc<AclRecord>, AwsError> {
    let id = required(id, "networkAclId")?;
    lookup::<AclRecord>(world, &ctx.scope, id).cloned()
}

fn find(acl: &AclRecord, egress: bool, number: u16) -> Option<&AclEntryRecord> {
    let mut entries = acl.entries.iter();
    entries.find(|one| one.egress == egress && one.number == number)
}

/// Puts an entry, in the place of the one of its direction and number.
fn put(txn: &mut Txn, acl: &AclRecord, entry: AclEntryRecord) {
    let at = (entry.egress, entry.number);
    txn.update(&ACLS, &acl.key, |acl| {
        acl.entries.retain(|one| (one.egress, one.number) != at);
        acl.entries.push(entry);
        acl.entries.sort_by_key(|one| (one.egress, one.number));
    });
}

fn not_found(number: u16) -> AwsError {
    code("InvalidNetworkAclEntry.NotFound").with(format!(
        "The network acl entry identified by {number} does not exist."
    ))
}

fn number(given: Option<i32>) -> Result<u16, AwsError> {
    let given = given.ok_or_else(|| missing("ruleNumber"))?;
    let number = u16::try_from(given).ok();
    number.filter(|n| (1..LAST).contains(n)).ok_or_else(|| {
        let why = "Rule number must be between 1 and 32766.";
        invalid_parameter("ruleNumber", &given.to_string(), why)
    })
}

fn egress(given: Option<bool>) -> Result<bool, AwsError> {
    given.ok_or_else(|| missing("egress"))
}

fn allow(given: Option<&String>) -> Result<bool, AwsError> {
    match required(given, "ruleAction")? {
        "allow" => Ok(true),
        "deny" => Ok(false),
        other => Err(invalid_parameter(
            "ruleAction",
            other,
            "Expecting allow or deny.",
        )),
    }
}

fn cidr(ipv4: Option<&String>, ipv6: Option<&String>) -> Result<IpNet, AwsError> {
    match (ipv4, ipv6) {
        (Some(net), None) => Ok(IpNet::V4(cidr::ipv4(net, "cidrBlock")?)),
        (None, Some(net)) => Ok(IpNet::V6(cidr::ipv6(net, "ipv6CidrBlock")?)),
        (None, None) => Err(missing("cidrBlock")),
        (Some(_), Some(_)) => Err(invalid_combination(
            "The parameter cidrBlock cannot be used with the parameter ipv6CidrBlock",
        )),
    }
}

fn protocol(given: Option<&String>) -> Result<i16, AwsError> {
    let given = required(given, "protocol")?;
    let number = match given.to_lowercase().as_str() {
        "-1" | "all" => Some(-1),
        "tcp" => Some(6),
        "udp" => Some(17),
        "icmp" => Some(1),
        "icmpv6" => Some(58),
        number => number.parse::<u8>().ok().map(i16::from),
    };
    number.ok_or_else(|| invalid_parameter("protocol", given, "Unknown protocol."))
}

/// Of TCP and UDP; other protocols have none, and what is given for them is not kept.
fn ports(protocol: i16, given: Option<&PortRange>) -> Result<Option<(u16, u16)>, AwsError> {
    if ![6, 17].contains(&protocol) {
        return Ok(None);
    }
    let given = given.ok_or_else(|| missing("portRange"))?;
    let (Some(from), Some(to)) = (given.from, given.to) else {
        return Err(missing("portRange"));
    };
    match (u16::try_from(from), u16::try_from(to)) {
        (Ok(first), Ok(last)) if first <= last => Ok(Some((first, last))),
        _ => Err(invalid_parameter(
            "portRange",
            &format!("{from}-{to}"),
            "Expecting ports between 0 and 65535, the lower one first.",
        )),
    }
}

/// Of ICMP.
fn icmp(protocol: i16, given: Option<&IcmpTypeCode>) -> Result<Option<(i16, i16)>, AwsError> {
    if ![1, 58].contains(&protocol) {
        return Ok(None);
    }
    let given = given.ok_or_else(|| missing("icmpTypeCode"))?;
    let one = |number: Option<i32>| match i16::try_from(number.unwrap_or(-1)) {
        Ok(number) if (-1..=255).contains(&number) => Ok(number),
        _ => Err(invalid_parameter(
            "icmpTypeCode",
            &number.unwrap_or(-1).to_string(),
            "Expecting a number between -1 and 255.",
        )),
    };
    Ok(Some((one(given.r#type)?, one(given.code)?)))
}
