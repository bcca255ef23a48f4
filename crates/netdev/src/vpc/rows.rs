//! What each row puts into the router of its VPC. Pure: a row, the rows it names, and numbers.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use aws_api::agent::host_sync::{
    Destination, HostRow, InterfaceRow, Row, RowKey, SubnetRow, VpcRow,
};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::acl;
use super::config::Endpoint;
use super::groups;
use super::item::{Item, Way, device_of, table_of};
use super::numbers::Numbers;
use super::outside::{entry, outside6, translated};
use super::overlay::overlay_mac;
use super::registers::{device, ip, key, line, mac, mark, member, range, range_to};
use super::uplink::ROUTER_DEVICE;
use crate::netlink::elements::{Data, RawElement};
use crate::netlink::paths::MAIN;

/// Tables of subnets begin here; below are the kernel's own.
const TABLE_FIRST: u32 = 1000;
const TCP: u8 = 6;
const UDP: u8 = 17;
const DNS_PORT: u16 = 53;

/// What a row's meaning depends on beside itself.
#[derive(Debug)]
pub struct View<'a> {
    /// All rows.
    pub rows: &'a BTreeMap<RowKey, Row>,
    /// Addresses of interfaces, by VPC.
    pub by_address: &'a BTreeMap<(String, IpAddr), String>,
    /// Where the router itself answers.
    pub endpoints: &'a [Endpoint],
    /// Whether this host encrypts.
    pub encrypts: bool,
}

impl<'a> View<'a> {
    /// The subnet of that id.
    pub fn subnet(&self, id: &str) -> Result<&'a SubnetRow, String> {
        match self.rows.get(&RowKey::Subnet(id.to_owned())) {
            Some(Row::Subnet(row)) => Ok(row),
            _ => Err(format!("subnet {id} has not come with it")),
        }
    }

    fn underlay(&self, host: &str) -> Result<Ipv4Addr, String> {
        match self.rows.get(&RowKey::Host(host.to_owned())) {
            Some(Row::Host(row)) => self.speaks_with(row).map(|()| row.underlay),
            _ => Err(format!("host {host} has not come with it")),
        }
    }

    /// Both ends encrypt, or neither: nothing goes in the clear by mistake.
    pub fn speaks_with(&self, row: &HostRow) -> Result<(), String> {
        match (self.encrypts, &row.encryption) {
            (true, None) => Err(format!(
                "host {} does not encrypt, and this one does",
                row.id
            )),
            (false, Some(_)) => Err(format!("host {} encrypts, and this one does not", row.id)),
            _ => Ok(()),
        }
    }

    fn interface_at(&self, vpc: &str, address: IpAddr) -> Option<&'a InterfaceRow> {
        let id = self.by_address.get(&(vpc.to_owned(), address))?;
        match self.rows.get(&RowKey::Interface(id.clone())) {
            Some(Row::Interface(row)) => Some(row),
            _ => None,
        }
    }
}

/// The gateway of a subnet: the first address after the network's.
pub fn gateway(cidr: Ipv4Net) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(cidr.network()).wrapping_add(1))
}

/// The resolver of a VPC: two after its first range's beginning.
pub fn resolver(row: &VpcRow) -> Option<Ipv4Addr> {
    let first = row.resolver.then(|| row.cidrs.first()).flatten()?;
    Some(Ipv4Addr::from(u32::from(first.network()).wrapping_add(2)))
}

/// All addresses of an interface.
pub fn addresses(row: &InterfaceRow) -> impl Iterator<Item = IpAddr> + '_ {
    let four = row.addresses.iter().copied().map(IpAddr::V4);
    four.chain(row.ipv6_addresses.iter().copied().map(IpAddr::V6))
}

pub fn element(set: &'static str, element: RawElement) -> Item {
    Item::Element { set, element }
}

/// A VPC: what is not there is unreachable; the resolver and the endpoints answer.
pub fn vpc(row: &VpcRow, view: &View<'_>) -> Vec<Item> {
    let four = row.cidrs.iter().copied().map(IpNet::V4);
    let ranges = four.chain(row.ipv6_cidrs.iter().copied().map(IpNet::V6));
    let mut items: Vec<Item> = ranges
        .clone()
        .map(|to| Item::Route {
            table: MAIN,
            to,
            way: Way::Unreachable,
            source: None,
        })
        .collect();
    // Who comes from outside is not of the VPC, whatever source it gives.
    let outside = device(ROUTER_DEVICE);
    items.extend(ranges.map(|all| {
        let set = if all.addr().is_ipv4() {
            "inside"
        } else {
            "inside6"
        };
        let [first, last] = [all.network(), all.broadcast()].map(|end| key(&[&outside, &ip(end)]));
        element(set, range(first, last))
    }));
    let mut answer = |address: Ipv4Addr, protocol: u8, port: u16| {
        items.push(Item::Address(address.into()));
        let key = key(&[&address.octets(), &[protocol], &port.to_be_bytes()]);
        items.push(element("magic", member(key)));
    };
    if let Some(resolver) = resolver(row) {
        answer(resolver, UDP, DNS_PORT);
        answer(resolver, TCP, DNS_PORT);
    }
    let endpoints = view.endpoints.iter();
    for endpoint in endpoints.filter(|endpoint| row.resolver || endpoint.port != DNS_PORT) {
        answer(endpoint.address, endpoint.protocol, endpoint.port);
    }
    items
}

/// A subnet: its gateway's address, its routes in a table of their own, its ACL.
pub fn subnet(row: &SubnetRow, view: &View<'_>, tables: &mut Numbers) -> Result<Vec<Item>, String> {
    let number = tables.of(&row.id).ok_or("no routing table is left")?;
    let table = TABLE_FIRST + u32::from(number);
    let mut items = vec![
        Item::Address(gateway(row.cidr).into()),
        Item::Rule {
            from: row.cidr.into(),
            table,
        },
    ];
    items.extend(row.ipv6_cidr.map(|from| Item::Rule {
        from: from.into(),
        table,
    }));
    for route in &row.routes {
        let way = match &route.via {
            Destination::Interface { address } => interface_way(row, *address, view),
            Destination::Blackhole => Way::Blackhole,
            Destination::NatGateway { public } => {
                items.push(Item::Public((*public).into()));
                Way::Up
            }
            Destination::InternetGateway | Destination::EgressOnlyInternetGateway => Way::Up,
        };
        items.push(Item::Route {
            table,
            to: route.to,
            way,
            source: None,
        });
    }
    let (from, to) = (row.cidr.network().octets(), row.cidr.broadcast().octets());
    for (first, last, public) in translated(&row.routes) {
        let (first, last) = (first.octets(), last.octets());
        let (first, last) = (key(&[&from, &first]), key(&[&to, &last]));
        items.push(element("natgw", range_to(first, last, public)));
    }
    items.extend(acl::chains(row));
    Ok(items)
}

fn interface_way(row: &SubnetRow, address: IpAddr, view: &View<'_>) -> Way {
    let Some(interface) = view.interface_at(&row.vpc, address) else {
        return Way::Blackhole;
    };
    // Who takes only what is its own does not forward.
    match &interface.host {
        _ if interface.source_dest_check => Way::Blackhole,
        None => Way::Interface(address),
        Some(host) => view.underlay(host).map_or(Way::Blackhole, Way::Overlay),
    }
}

/// An interface, here or elsewhere: whose member it is, and where it is.
pub fn interface(
    row: &InterfaceRow,
    view: &View<'_>,
    numbers: &mut Numbers,
) -> Result<Vec<Item>, String> {
    let subnet = view.subnet(&row.subnet)?;
    let number = numbers.of(&row.groups).ok_or("no group number is left")?;
    let own = mark(number);
    let mut items: Vec<Item> = addresses(row)
        .map(|address| {
            let map = if address.is_ipv4() { "gs" } else { "gs6" };
            element(map, line(ip(address), &own))
        })
        .collect();
    match &row.host {
        None => items.extend(local(row, subnet, own)?),
        Some(host) => {
            let way = Way::Overlay(view.underlay(host)?);
            items.extend(addresses(row).map(|to| Item::Route {
                table: MAIN,
                to: to.into(),
                way,
                source: to.is_ipv4().then(|| gateway(subnet.cidr).into()),
            }));
            items.extend(entry(row, subnet));
        }
    }
    Ok(items)
}

fn local(row: &InterfaceRow, subnet: &SubnetRow, own: [u8; 4]) -> Result<Vec<Item>, String> {
    let mac = mac(&row.mac).ok_or_else(|| format!("{:?} is no MAC", row.mac))?;
    let primary = *row.addresses.first().ok_or("it has no IPv4 address")?;
    let name = crate::vpc::registers::device(&device_of(primary));
    let mut items = vec![element("own", line(name.to_vec(), &own))];
    for address in addresses(row) {
        let set = if address.is_ipv4() { "anti" } else { "anti6" };
        let key = key(&[&name, &mac, &ip(address)]);
        items.push(element(set, member(key)));
    }
    if !row.source_dest_check {
        items.push(element("free", member(key(&[&name, &mac]))));
    }
    if let Some(public) = row.public {
        let (here, there) = (primary.octets(), public.octets());
        items.push(Item::Public(public.into()));
        items.push(element("pub2priv", line(there.to_vec(), &here)));
        items.push(element("priv2pub", line(here.to_vec(), &there)));
    }
    let ways = outside6(subnet);
    for address in row.ipv6_addresses.iter().filter(|_| ways.may_leave) {
        items.push(Item::Public((*address).into()));
        if !ways.may_enter {
            items.push(element("closed6", member(address.octets().to_vec())));
        }
    }
    if !subnet.acl.is_empty() {
        items.extend(acl::directions(&subnet.id).map(|direction| {
            let data = Some(Data::Jump(direction.chain));
            element(
                direction.map,
                RawElement {
                    key: name.to_vec(),
                    end: None,
                    data,
                },
            )
        }));
    }
    Ok(items)
}

/// The things of a row, each with its VPC.
pub fn items(
    row: &Row,
    view: &View<'_>,
    numbers: &mut BTreeMap<String, [Numbers; 2]>,
) -> Result<Vec<(String, Item)>, String> {
    let (vpc_id, items) = match row {
        Row::Vpc(row) => (&row.id, vpc(row, view)),
        Row::Subnet(row) => {
            let [_, tables] = numbers.entry(row.vpc.clone()).or_default();
            (&row.vpc, subnet(row, view, tables)?)
        }
        Row::Interface(row) => {
            let [groups, _] = numbers.entry(row.vpc.clone()).or_default();
            (&row.vpc, interface(row, view, groups)?)
        }
        Row::GroupSet(row) => {
            let [groups, _] = numbers.entry(row.vpc.clone()).or_default();
            let items = groups::elements(row, groups).ok_or("no group number is left")?;
            (&row.vpc, items)
        }
        Row::Host(row) => return Ok(peers(row, view)),
        Row::Name(_) | Row::Endpoint(_) => return Ok(Vec::new()),
    };
    Ok(items
        .into_iter()
        .map(|item| (vpc_id.clone(), item))
        .collect())
}

/// A host is a neighbour in every VPC; answers to what came from there go back there, wherever it came from
/// before.
fn peers(row: &HostRow, view: &View<'_>) -> Vec<(String, Item)> {
    let vpcs = view.rows.values().filter_map(|other| match other {
        Row::Vpc(vpc) => Some(vpc),
        _ => None,
    });
    let (underlay, table) = (row.underlay, table_of(row.underlay));
    let of = |vpc: &VpcRow| {
        let peer = line(overlay_mac(underlay).to_vec(), &table.to_ne_bytes());
        let mut items = vec![Item::Peer(underlay), element("peers", peer)];
        let families = [
            Some(Ipv4Net::default().into()),
            (!vpc.ipv6_cidrs.is_empty()).then(|| Ipv6Net::default().into()),
        ];
        for everywhere in families.into_iter().flatten() {
            let is_ipv6 = IpNet::addr(&everywhere).is_ipv6();
            items.push(Item::Answers {
                to: underlay,
                is_ipv6,
            });
            items.push(Item::Route {
                table,
                to: everywhere,
                way: Way::Overlay(underlay),
                source: None,
            });
        }
        items
    };
    vpcs.flat_map(|vpc| of(vpc).into_iter().map(|item| (vpc.id.clone(), item)))
        .collect()
}
