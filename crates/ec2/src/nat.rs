//! How a NAT gateway is made and unmade, and where it leads.
//!
//! A gateway has an interface in its subnet, as AWS's have, for its addresses; the translation is each
//! host's own work (docs/decisions/0008), so no host holds that interface.
//! Rule: VPC user guide, "NAT gateways" and "Troubleshoot NAT gateways".

use crate::records::address::AllocationRecord;
use crate::records::gateway::{BY_VPC, INTERNET_GATEWAYS};
use crate::records::interface::{AttachmentRecord, INTERFACES, InterfaceRecord};
use crate::records::nat::{NAT_GATEWAYS, NatGatewayRecord, NatState};
use crate::records::route::{To, Via};
use crate::records::{ResourceKey, SubnetRecord, fresh_id, within};
use crate::{address, elastic, held, interface, route, tags};
use aws_types::{AwsError, Ctx};
use ipnet::{IpNet, Ipv4Net};
use std::net::Ipv4Addr;
use std::sync::Arc;
use store::{Txn, World};

/// `InterfaceType` of a gateway's interface.
pub const KIND: &str = "nat_gateway";

/// What a NAT gateway is made of.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Where it stands.
    pub subnet: Arc<SubnetRecord>,
    /// The elastic address of a public one.
    pub allocation: Option<Arc<AllocationRecord>>,
    /// `PrivateIpAddress`.
    pub private: Option<String>,
}

/// Makes a NAT gateway. What AWS finds out only while it makes one is no error: the gateway is there,
/// and has failed.
///
/// # Errors
/// `InvalidParameterValue`, `InvalidIPAddress.InUse` for a private address that it cannot have.
pub fn create(txn: &mut Txn, ctx: &mut Ctx, wanted: &Wanted) -> Result<NatGatewayRecord, AwsError> {
    let subnet = &wanted.subnet;
    let mut made = NatGatewayRecord {
        key: ResourceKey::fresh(ctx, "nat"),
        vpc: subnet.vpc.clone(),
        subnet: subnet.key.id.clone(),
        state: NatState::Available,
        is_public: wanted.allocation.is_some(),
        interface: None,
        private: None,
        public: wanted
            .allocation
            .as_ref()
            .map(|one| (one.address, one.key.id.clone())),
        association: None,
        created: ctx.now,
        ended: None,
    };
    match obstacle(txn, wanted) {
        Some((code, message)) => {
            made.state = NatState::Failed(code.into(), message);
            made.ended = Some(ctx.now);
        }
        None => give_interface(txn, ctx, wanted, &mut made)?,
    }
    txn.put(&NAT_GATEWAYS, made.clone());
    Ok(made)
}

/// Why such a gateway cannot be: its `FailureCode` and `FailureMessage`.
fn obstacle(world: &World, wanted: &Wanted) -> Option<(&'static str, String)> {
    let subnet = &wanted.subnet;
    if wanted.private.is_none() && address::available(world, subnet) <= 0 {
        let text =
            "The specified subnet does not have enough free addresses to satisfy the request.";
        return Some(("InsufficientFreeAddressesInSubnet", text.into()));
    }
    let one = wanted.allocation.as_ref()?;
    let at = within(&subnet.key.scope, &subnet.vpc);
    if world
        .find(&INTERNET_GATEWAYS, &BY_VPC, &at)
        .next()
        .is_none()
    {
        let text = format!("Network {} has no Internet gateway attached", subnet.vpc);
        return Some(("Gateway.NotAttached", text));
    }
    one.interface.as_ref().map(|_| {
        let text = format!("Elastic IP address [{}] is already associated", one.key.id);
        ("Resource.AlreadyAssociated", text)
    })
}

fn give_interface(
    txn: &mut Txn,
    ctx: &mut Ctx,
    wanted: &Wanted,
    made: &mut NatGatewayRecord,
) -> Result<(), AwsError> {
    let subnet = &wanted.subnet;
    let mut own = interface::draft(txn, ctx, subnet, &[])?;
    let private = match &wanted.private {
        Some(wanted) => address::take(txn, subnet, &own.key.id, wanted)?,
        None => address::take_lowest(txn, subnet, &own.key.id)?,
    };
    own = InterfaceRecord {
        groups: vec![],
        addresses: vec![private],
        private_dns_name: interface::private_dns_name(&ctx.scope, private),
        description: format!("Interface for NAT Gateway {}", made.key.id),
        source_dest_check: false,
        kind: KIND.into(),
        requester_managed: true,
        attachment: Some(AttachmentRecord {
            id: fresh_id(ctx, "ela-attach"),
            at: ctx.now,
            is_attached: true,
        }),
        ..own
    };
    txn.put(&INTERFACES, own.clone());
    made.association = wanted
        .allocation
        .as_ref()
        .map(|one| elastic::join(txn, ctx, one, &own));
    made.interface = Some(own.key.id.clone());
    made.private = Some(private);
    Ok(())
}

/// Deletes a gateway: its addresses are free, routes to it lead nowhere, and it is shown for a while.
pub fn delete(txn: &mut Txn, ctx: &Ctx, key: &ResourceKey) {
    let interface = txn
        .get(&NAT_GATEWAYS, key)
        .and_then(|nat| nat.interface.clone());
    if let Some(id) = interface {
        interface::remove(txn, &key.scope, &id);
    }
    let now = ctx.now;
    txn.update(&NAT_GATEWAYS, key, |nat| {
        nat.state = NatState::Deleted;
        nat.interface = None;
        nat.association = None;
        nat.ended = Some(now);
    });
}

/// Removes what ended too long ago to be shown.
pub fn forget_ended(txn: &mut Txn, ctx: &Ctx) {
    let own = ResourceKey::prefix(&ctx.scope);
    let all = txn.scan_prefix(&NAT_GATEWAYS, &own, None);
    let old = all.filter(|(_, nat)| nat.is_forgotten(ctx.now));
    let old: Vec<ResourceKey> = old.map(|(_, nat)| nat.key.clone()).collect();
    for key in old {
        txn.delete(&NAT_GATEWAYS, &key);
        tags::forget(txn, &key);
    }
}

/// In the name of which address a gateway translates what goes to a range; none where it is private
/// (there is no other network to which such a one leads), or where the routes of its own subnet do not
/// lead there by an internet gateway.
#[must_use]
pub fn public_address(world: &World, nat: &NatGatewayRecord, to: Ipv4Net) -> Option<Ipv4Addr> {
    let (address, _) = nat.public.as_ref().filter(|_| nat.is_available())?;
    let subnet = lookup_subnet(world, nat)?;
    let table = route::table_of(world, &subnet)?;
    let covering = table.routes.iter().filter_map(|route| match &route.to {
        To::Ipv4(net) if net.contains(&to) => Some((net.prefix_len(), &route.via)),
        _ => None,
    });
    let (_, via) = covering.max_by_key(|(length, _)| *length)?;
    let is_internet = matches!(via, Via::InternetGateway(_));
    let leads_out = is_internet && route::target(world, &subnet, via, IpNet::V4(to)).is_some();
    // Who had it before may still be translated by it.
    let is_free = !held::is_held_elsewhere(world, *address, &nat.key.beside(&nat.vpc));
    (leads_out && is_free).then_some(*address)
}

fn lookup_subnet(world: &World, nat: &NatGatewayRecord) -> Option<Arc<SubnetRecord>> {
    let key = nat.key.beside(&nat.subnet);
    world.get(&crate::records::SUBNETS, &key).cloned()
}
