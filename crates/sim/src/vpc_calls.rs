//! The users' VPCs: two with the same range and small subnets that run full, and the calls to EC2 that come
//! while tasks have interfaces there.

use crate::event::{Event, Request};
use crate::simulation::Simulation;
use crate::workload::{Launch, launch_of};
use aws_api::ec2::{
    AttributeBooleanValue, AuthorizeSecurityGroupIngressRequest, CreateNetworkInterfaceRequest,
    CreateSecurityGroupRequest, CreateSubnetRequest, CreateVpcRequest,
    DeleteNetworkInterfaceRequest, DeleteSubnetRequest, IpPermission,
    ModifyNetworkInterfaceAttributeRequest, ModifySubnetAttributeRequest,
    RevokeSecurityGroupIngressRequest, UserIdGroupPair,
};
use aws_api::ecs::{AwsVpcConfiguration, NetworkConfiguration};
use aws_types::{AwsError, Ctx};
use ec2::ops::{group_rules, groups, interfaces, subnets, vpcs};
use ec2::records::{INTERFACES, InterfaceRecord, ResourceKey, SUBNETS, VPCS};
use std::sync::Arc;
use store::Txn;

/// Of both VPCs, so that whatever mixes them up is seen.
const RANGE: &str = "10.0.0.0/24";
/// AWS's smallest: 11 addresses each.
const RANGES: [(&str, &str); 2] = [
    ("10.0.0.0/28", "us-east-1a"),
    ("10.0.0.16/28", "us-east-1b"),
];
/// One that users make and delete.
const SPARE: (&str, &str) = ("10.0.0.32/28", "us-east-1a");
/// Interfaces of users at a time: with them, and without, the tasks fill the subnets.
const OWN_MAX: usize = 14;
/// Mean milliseconds between calls.
const CALL_EVERY: u64 = 20_000;

/// What is there of a VPC from the start.
#[derive(Clone, Debug, Default)]
pub struct Vpc {
    id: String,
    /// Those that nobody deletes.
    subnets: Vec<String>,
    /// A group beside the default one.
    group: String,
}

/// A call to EC2.
#[derive(Clone, Debug)]
pub enum Ec2Call {
    CreateInterface(CreateNetworkInterfaceRequest),
    DeleteInterface(DeleteNetworkInterfaceRequest),
    Regroup(ModifyNetworkInterfaceAttributeRequest),
    Authorize(AuthorizeSecurityGroupIngressRequest),
    Revoke(RevokeSecurityGroupIngressRequest),
    CreateSubnet(CreateSubnetRequest),
    DeleteSubnet(DeleteSubnetRequest),
}

impl Ec2Call {
    /// Whether a repeated call asks for no more than the first.
    pub fn may_repeat(&self) -> bool {
        !matches!(self, Self::CreateInterface(_))
    }
}

impl Simulation {
    /// Makes the VPCs, before anything else happens.
    pub fn define_vpcs(&mut self) {
        let made = self.server.submit(0, None, |txn, ctx| {
            ec2::defaults::ensure(txn, ctx);
            Ok(vec![define(txn, ctx, true)?, define(txn, ctx, false)?])
        });
        match made {
            Ok(vpcs) => self.vpcs = vpcs,
            Err(error) => self.violate(1, format!("the VPCs were refused: {error:?}")),
        }
        self.wait_for_commit(None);
    }

    /// Where a call puts the interfaces of a family's tasks, if they have any.
    pub fn some_network(&mut self, family: &str) -> Option<NetworkConfiguration> {
        let launch = launch_of(family);
        if launch == Launch::Bridge {
            return None;
        }
        let vpc = self.random.pick(&self.vpcs).cloned()?;
        let mut subnets = vpc.subnets.clone();
        match self.random.below(10) {
            0..3 => subnets.truncate(1),
            3..5 => subnets = self.spares(&vpc.id),
            _ => {}
        }
        let is_public = launch == Launch::Fargate && self.random.chance(500);
        let groups = self.random.chance(500).then(|| vec![vpc.group]);
        Some(network(subnets, groups, is_public))
    }

    /// Where a service can have its tasks at any time.
    pub fn lasting_network(&self, family: &str) -> Option<NetworkConfiguration> {
        let at = match launch_of(family) {
            Launch::Bridge => return None,
            Launch::Interface => 0,
            Launch::Fargate => 1,
        };
        let vpc = self.vpcs.get(at)?;
        Some(network(vpc.subnets.clone(), None, false))
    }

    fn spares(&self, vpc: &str) -> Vec<String> {
        let all = self.server.published.scan(&SUBNETS);
        let of_vpc = all.filter(|subnet| subnet.vpc == vpc && subnet.cidr.to_string() == SPARE.0);
        of_vpc.map(|subnet| subnet.key.id.clone()).collect()
    }

    /// The next call.
    pub fn ec2_client_turn(&mut self) {
        if self.is_calm {
            return;
        }
        if let Some(call) = self.some_call() {
            self.send_request(None, Request::Ec2(call));
        }
        let is_burst = self.random.chance(150);
        let delay = self.random.wait(if is_burst { 2 } else { CALL_EVERY });
        self.after(delay, Event::Ec2Client);
    }

    fn some_call(&mut self) -> Option<Ec2Call> {
        let vpc = self.random.pick(&self.vpcs).cloned()?;
        Some(match self.random.below(100) {
            0..25 => self.create_interface(&vpc)?,
            25..45 => delete_interface(self.own_interface()?.id()),
            45..55 => {
                let own = self.own_interface()?;
                Ec2Call::Regroup(ModifyNetworkInterfaceAttributeRequest {
                    network_interface_id: Some(own.id().into()),
                    groups: Some(vec![
                        self.vpcs.iter().find(|v| v.id == own.vpc)?.group.clone(),
                    ]),
                    ..ModifyNetworkInterfaceAttributeRequest::default()
                })
            }
            55..70 => Ec2Call::Authorize(AuthorizeSecurityGroupIngressRequest {
                group_id: Some(vpc.group.clone()),
                ip_permissions: Some(vec![self.permission(&vpc)]),
                ..AuthorizeSecurityGroupIngressRequest::default()
            }),
            70..85 => Ec2Call::Revoke(RevokeSecurityGroupIngressRequest {
                group_id: Some(vpc.group.clone()),
                ip_permissions: Some(vec![self.permission(&vpc)]),
                ..RevokeSecurityGroupIngressRequest::default()
            }),
            85..92 => Ec2Call::CreateSubnet(subnet(&vpc.id, SPARE, None)),
            _ => {
                // One that is in use is not deleted: the lasting ones are always used, if only by us.
                let id = self.random.pick(&self.spares(&vpc.id)).cloned()?;
                Ec2Call::DeleteSubnet(DeleteSubnetRequest {
                    subnet_id: Some(id),
                    ..DeleteSubnetRequest::default()
                })
            }
        })
    }

    fn create_interface(&mut self, vpc: &Vpc) -> Option<Ec2Call> {
        if self.own_interfaces().len() >= OWN_MAX {
            return None;
        }
        let mut all = vpc.subnets.clone();
        all.extend(self.spares(&vpc.id));
        let more = self.random.below(6) as i32;
        Some(Ec2Call::CreateInterface(CreateNetworkInterfaceRequest {
            subnet_id: self.random.pick(&all).cloned(),
            secondary_private_ip_address_count: (more > 0).then_some(more),
            ..CreateNetworkInterfaceRequest::default()
        }))
    }

    fn permission(&mut self, vpc: &Vpc) -> IpPermission {
        let port = self.random.between(80, 83) as i32;
        IpPermission {
            ip_protocol: Some("tcp".into()),
            from_port: Some(port),
            to_port: Some(port),
            user_id_group_pairs: Some(vec![UserIdGroupPair {
                group_id: Some(vpc.group.clone()),
                ..UserIdGroupPair::default()
            }]),
            ..IpPermission::default()
        }
    }

    fn own_interfaces(&self) -> Vec<Arc<InterfaceRecord>> {
        let all = self.server.published.scan(&INTERFACES);
        all.filter(|one| !one.requester_managed).cloned().collect()
    }

    fn own_interface(&mut self) -> Option<Arc<InterfaceRecord>> {
        let own = self.own_interfaces();
        self.random.pick(&own).cloned()
    }

    /// Asks for the end of every interface of the users'.
    pub fn delete_interfaces(&mut self) {
        for own in self.own_interfaces() {
            self.send_request(None, Request::Ec2(delete_interface(own.id())));
        }
    }

    /// Does what a call asks for.
    pub fn serve_ec2(&mut self, call: &Ec2Call) -> Result<(), AwsError> {
        self.server.submit(self.now, None, |txn, ctx| match call {
            Ec2Call::CreateInterface(input) => interfaces::create(txn, ctx, input).map(drop),
            Ec2Call::DeleteInterface(input) => interfaces::delete(txn, ctx, input).map(drop),
            Ec2Call::Regroup(input) => interfaces::modify(txn, ctx, input).map(drop),
            Ec2Call::Authorize(input) => group_rules::authorize_ingress(txn, ctx, input).map(drop),
            Ec2Call::Revoke(input) => group_rules::revoke_ingress(txn, ctx, input).map(drop),
            Ec2Call::CreateSubnet(input) => subnets::create(txn, ctx, input).map(drop),
            Ec2Call::DeleteSubnet(input) => subnets::delete(txn, ctx, input).map(drop),
        })
    }
}

fn delete_interface(id: &str) -> Ec2Call {
    Ec2Call::DeleteInterface(DeleteNetworkInterfaceRequest {
        network_interface_id: Some(id.into()),
        ..DeleteNetworkInterfaceRequest::default()
    })
}

fn network(
    subnets: Vec<String>,
    security_groups: Option<Vec<String>>,
    is_public: bool,
) -> NetworkConfiguration {
    NetworkConfiguration {
        awsvpc_configuration: Some(AwsVpcConfiguration {
            assign_public_ip: is_public.then(|| "ENABLED".into()),
            security_groups,
            subnets: Some(subnets),
        }),
    }
}

fn subnet(vpc: &str, (range, zone): (&str, &str), ipv6: Option<String>) -> CreateSubnetRequest {
    CreateSubnetRequest {
        vpc_id: Some(vpc.into()),
        cidr_block: Some(range.into()),
        availability_zone: Some(zone.into()),
        ipv6_cidr_block: ipv6,
        ..CreateSubnetRequest::default()
    }
}

fn define(txn: &mut Txn, ctx: &mut Ctx, has_ipv6: bool) -> Result<Vpc, AwsError> {
    let input = CreateVpcRequest {
        cidr_block: Some(RANGE.into()),
        amazon_provided_ipv6_cidr_block: Some(has_ipv6),
        ..CreateVpcRequest::default()
    };
    let made = vpcs::create(txn, ctx, &input)?.vpc.unwrap_or_default();
    let id = made.vpc_id.unwrap_or_default();
    let record = txn.get(&VPCS, &ResourceKey::new(&ctx.scope, &id)).cloned();
    let six = record.iter().flat_map(|vpc| &vpc.ipv6);
    let mut six = six.flat_map(|range| range.cidr.subnets(64).into_iter().flatten());
    let mut vpc = Vpc {
        id: id.clone(),
        ..Vpc::default()
    };
    for range in RANGES {
        let input = subnet(&id, range, six.next().map(|range| range.to_string()));
        let made = subnets::create(txn, ctx, &input)?.subnet;
        let subnet_id = made.and_then(|subnet| subnet.subnet_id).unwrap_or_default();
        if has_ipv6 {
            let input = ModifySubnetAttributeRequest {
                subnet_id: Some(subnet_id.clone()),
                assign_ipv6_address_on_creation: Some(AttributeBooleanValue { value: Some(true) }),
                ..ModifySubnetAttributeRequest::default()
            };
            subnets::modify(txn, ctx, &input)?;
        }
        vpc.subnets.push(subnet_id);
    }
    let input = CreateSecurityGroupRequest {
        group_name: Some("app".into()),
        description: Some("of the users".into()),
        vpc_id: Some(id),
        ..CreateSecurityGroupRequest::default()
    };
    vpc.group = groups::create(txn, ctx, &input)?
        .group_id
        .unwrap_or_default();
    Ok(vpc)
}
