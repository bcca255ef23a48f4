//! Descriptions of rules of security groups, put anew.

use super::group_rules::{described, find, not_found, own_rule};
use super::groups::chosen;
use super::permissions::read;
use crate::errors::{invalid_combination, missing, required};
use crate::records::group::{GroupRecord, RULES};
use aws_api::ec2::{
    IpPermission, SecurityGroupRuleDescription, UpdateSecurityGroupRuleDescriptionsEgressRequest,
    UpdateSecurityGroupRuleDescriptionsEgressResult,
    UpdateSecurityGroupRuleDescriptionsIngressRequest,
    UpdateSecurityGroupRuleDescriptionsIngressResult,
};
use aws_types::{AwsError, Ctx};
use store::Txn;

/// UpdateSecurityGroupRuleDescriptionsIngress.
pub fn ingress(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &UpdateSecurityGroupRuleDescriptionsIngressRequest,
) -> Result<UpdateSecurityGroupRuleDescriptionsIngressResult, AwsError> {
    let (id, name) = (input.group_id.as_ref(), input.group_name.as_ref());
    let group = chosen(txn, &ctx.scope, id, name)?.clone();
    let by_id = input.security_group_rule_descriptions.as_ref();
    put(
        txn,
        ctx,
        &group,
        false,
        (input.ip_permissions.as_ref(), by_id),
    )?;
    Ok(UpdateSecurityGroupRuleDescriptionsIngressResult {
        r#return: Some(true),
    })
}

/// UpdateSecurityGroupRuleDescriptionsEgress.
pub fn egress(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &UpdateSecurityGroupRuleDescriptionsEgressRequest,
) -> Result<UpdateSecurityGroupRuleDescriptionsEgressResult, AwsError> {
    let (id, name) = (input.group_id.as_ref(), input.group_name.as_ref());
    let group = chosen(txn, &ctx.scope, id, name)?.clone();
    let by_id = input.security_group_rule_descriptions.as_ref();
    put(
        txn,
        ctx,
        &group,
        true,
        (input.ip_permissions.as_ref(), by_id),
    )?;
    Ok(UpdateSecurityGroupRuleDescriptionsEgressResult {
        r#return: Some(true),
    })
}

type Descriptions<'a> = (
    Option<&'a Vec<IpPermission>>,
    Option<&'a Vec<SecurityGroupRuleDescription>>,
);

fn put(
    txn: &mut Txn,
    ctx: &Ctx,
    group: &GroupRecord,
    egress: bool,
    given: Descriptions<'_>,
) -> Result<(), AwsError> {
    let mut changes = Vec::new();
    match given {
        (Some(permissions), None) => {
            for given in read(txn, &ctx.scope, &group.vpc, permissions)? {
                let rule = find(txn, group, egress, &given).ok_or_else(not_found)?;
                changes.push((rule, given.description));
            }
        }
        (None, Some(descriptions)) => {
            for given in descriptions {
                let id = given.security_group_rule_id.as_ref();
                let id = required(id, "securityGroupRuleId")?;
                let rule = own_rule(txn, ctx, group, id, Some(egress))?;
                changes.push((rule, given.description.clone()));
            }
        }
        (None, None) => return Err(missing("ipPermissions")),
        (Some(_), Some(_)) => {
            return Err(invalid_combination(
                "The parameter ipPermissions may not be used with securityGroupRuleDescriptions",
            ));
        }
    }
    for (rule, description) in changes {
        let description = described(description)?;
        txn.update(&RULES, &rule.key, |rule| rule.description = description);
    }
    Ok(())
}
