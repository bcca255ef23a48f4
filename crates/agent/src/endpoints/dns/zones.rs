//! The names that the resolver of a VPC answers itself.
//!
//! Pure. Rows of host sync in, answers out. Rule: EC2 user guide, "Private DNS": an interface has the name
//! `ip-A-B-C-D` in the VPC's domain; in that domain, and for addresses of the VPC, nobody else is asked.

use super::message::{A, AAAA, CNAME, Data, IN, PTR, Query, Record, SRV};
use aws_api::agent::host_sync::{NameRow, NameValue, Row, RowKey, ToHost, VpcRow};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

/// Seconds, as AWS has them for names of interfaces.
const TTL: u32 = 60;
/// Aliases of aliases that are followed.
const ALIASES_MAX: usize = 8;

/// What is known of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// These records; none where the name has none of that type.
    Records(Vec<Record>),
    /// There is no such name.
    Nothing,
    /// It is not this VPC's: others are to be asked.
    Elsewhere,
    /// The rows of this VPC have not come yet.
    NotYet,
}

/// The names of all VPCs of which this host has interfaces.
#[derive(Debug, Default)]
pub struct Zones {
    vpcs: BTreeMap<String, VpcRow>,
    /// By VPC and name, then by type.
    names: BTreeMap<(String, String), BTreeMap<String, NameRow>>,
    /// Addresses of each interface, with its VPC.
    interfaces: BTreeMap<String, (String, Vec<Ipv4Addr>)>,
    addresses: BTreeSet<(String, Ipv4Addr)>,
}

impl Zones {
    /// Takes a message of host sync in.
    pub fn take(&mut self, message: &ToHost) {
        match message {
            ToHost::State { rows, .. } => {
                *self = Self::default();
                rows.iter().for_each(|row| self.put(row));
            }
            ToHost::Change { put, remove, .. } => {
                remove.iter().for_each(|key| self.remove(key));
                put.iter().for_each(|row| self.put(row));
            }
        }
    }

    fn put(&mut self, row: &Row) {
        match row {
            Row::Vpc(row) => drop(self.vpcs.insert(row.id.clone(), row.clone())),
            Row::Interface(row) => {
                self.remove(&RowKey::Interface(row.id.clone()));
                let all = row.addresses.iter();
                self.addresses
                    .extend(all.map(|address| (row.vpc.clone(), *address)));
                let kept = (row.vpc.clone(), row.addresses.clone());
                self.interfaces.insert(row.id.clone(), kept);
            }
            Row::Name(row) => {
                let name = (row.vpc.clone(), row.name.clone());
                let types = self.names.entry(name).or_default();
                types.insert(row.record.clone(), row.clone());
            }
            Row::Subnet(_) | Row::GroupSet(_) | Row::Host(_) | Row::Endpoint(_) => {}
        }
    }

    fn remove(&mut self, key: &RowKey) {
        match key {
            RowKey::Vpc(id) => drop(self.vpcs.remove(id)),
            RowKey::Interface(id) => {
                if let Some((vpc, addresses)) = self.interfaces.remove(id) {
                    for address in addresses {
                        self.addresses.remove(&(vpc.clone(), address));
                    }
                }
            }
            RowKey::Name(key) => {
                // VPC, type, name.
                let mut parts = key.splitn(3, '/').map(str::to_owned);
                if let (Some(vpc), Some(kind), Some(name)) =
                    (parts.next(), parts.next(), parts.next())
                {
                    let name = (vpc, name);
                    if let Some(types) = self.names.get_mut(&name) {
                        types.remove(&kind);
                        if types.is_empty() {
                            self.names.remove(&name);
                        }
                    }
                }
            }
            RowKey::Subnet(_) | RowKey::GroupSet(_) | RowKey::Host(_) | RowKey::Endpoint(_) => {}
        }
    }

    /// The address at which the VPC's resolver is asked, beside 169.254.169.253; `None` where it has none.
    #[must_use]
    pub fn resolver(&self, vpc: &str) -> Option<Ipv4Addr> {
        let row = self.vpcs.get(vpc).filter(|row| row.resolver)?;
        let first = u32::from(row.cidrs.first()?.network());
        Some(Ipv4Addr::from(first.checked_add(2)?))
    }

    /// What is known of the name of a query that came from this VPC.
    #[must_use]
    pub fn look_up(&self, vpc: &str, query: &Query) -> Known {
        let Some(row) = self.vpcs.get(vpc) else {
            return Known::NotYet;
        };
        if query.class != IN {
            return Known::Elsewhere;
        }
        self.named(row, &query.name, query.kind)
            .or_else(|| self.of_interface(row, &query.name, query.kind))
            .or_else(|| self.of_address(row, &query.name, query.kind))
            .unwrap_or(Known::Elsewhere)
    }

    fn named(&self, vpc: &VpcRow, asked: &str, kind: u16) -> Option<Known> {
        let mut name = asked.to_owned();
        let mut records = Vec::new();
        for _ in 0..ALIASES_MAX {
            let Some(types) = self.names.get(&(vpc.id.clone(), name.clone())) else {
                break;
            };
            let of = |kind: &str| types.get(kind).into_iter().flat_map(of_row);
            let own: Vec<Record> = word(kind).into_iter().flat_map(of).collect();
            let alias: Option<Record> = of("CNAME").next();
            match (own.is_empty(), alias) {
                (true, Some(alias)) => {
                    if let Data::Cname(target) = &alias.data {
                        name = target.to_ascii_lowercase();
                    }
                    records.push(alias);
                }
                _ => {
                    records.extend(own);
                    return Some(Known::Records(records));
                }
            }
        }
        (!records.is_empty()).then_some(())?;
        // The last alias leads to the name of an interface, or out of here.
        if let Some(Known::Records(more)) = self.of_interface(vpc, &name, kind) {
            records.extend(more);
        }
        Some(Known::Records(records))
    }

    fn of_interface(&self, vpc: &VpcRow, name: &str, kind: u16) -> Option<Known> {
        let domain = vpc.domain.as_deref()?;
        let host = name.strip_suffix(domain)?;
        if host.is_empty() {
            return Some(Known::Records(Vec::new()));
        }
        let host = host.strip_suffix('.')?;
        let address = host.strip_prefix("ip-").map(|rest| rest.replace('-', "."));
        let address: Option<Ipv4Addr> = address.and_then(|text| text.parse().ok());
        let own = address.filter(|own| self.addresses.contains(&(vpc.id.clone(), *own)));
        Some(match own {
            Some(own) => {
                let data = (kind == A).then_some(Data::A(own));
                Known::Records(
                    data.into_iter()
                        .map(|data| record(name, TTL, data))
                        .collect(),
                )
            }
            None => Known::Nothing,
        })
    }

    fn of_address(&self, vpc: &VpcRow, name: &str, kind: u16) -> Option<Known> {
        let reversed: Ipv4Addr = name.strip_suffix(".in-addr.arpa")?.parse().ok()?;
        let [d, c, b, a] = reversed.octets();
        let address = Ipv4Addr::new(a, b, c, d);
        vpc.cidrs.iter().find(|cidr| cidr.contains(&address))?;
        let domain = vpc.domain.as_deref()?;
        if !self.addresses.contains(&(vpc.id.clone(), address)) {
            return Some(Known::Nothing);
        }
        let host = format!("ip-{a}-{b}-{c}-{d}.{domain}");
        let data = (kind == PTR).then_some(Data::Ptr(host));
        let records = data.into_iter().map(|data| record(name, TTL, data));
        Some(Known::Records(records.collect()))
    }
}

fn word(kind: u16) -> Option<&'static str> {
    match kind {
        A => Some("A"),
        AAAA => Some("AAAA"),
        SRV => Some("SRV"),
        CNAME => Some("CNAME"),
        _ => None,
    }
}

fn record(name: &str, ttl: u32, data: Data) -> Record {
    Record {
        name: name.to_owned(),
        ttl,
        data,
    }
}

fn of_row(row: &NameRow) -> impl Iterator<Item = Record> {
    let data = |value: &NameValue| match value {
        NameValue::Address {
            address: IpAddr::V4(address),
        } => Data::A(*address),
        NameValue::Address {
            address: IpAddr::V6(address),
        } => Data::Aaaa(*address),
        NameValue::Service {
            priority,
            weight,
            port,
            target,
        } => Data::Srv(*priority, *weight, *port, target.clone()),
        NameValue::Alias { target } => Data::Cname(target.clone()),
    };
    let values = row.values.iter();
    values.map(move |value| record(&row.name, row.ttl, data(value)))
}

#[cfg(test)]
mod tests {
    use super::super::message;
    use super::*;
    use aws_api::agent::host_sync::InterfaceRow;

    fn interface(id: &str, vpc: &str, address: [u8; 4]) -> Row {
        Row::Interface(InterfaceRow {
            id: id.into(),
            vpc: vpc.into(),
            subnet: "subnet-1".into(),
            mac: "02:aa:00:00:00:05".into(),
            addresses: vec![address.into()],
            ipv6_addresses: Vec::new(),
            public: None,
            groups: String::new(),
            source_dest_check: true,
            host: None,
        })
    }

    fn vpc(id: &str) -> Row {
        Row::Vpc(VpcRow {
            id: id.into(),
            vni: 1,
            cidrs: vec!["172.31.0.0/16".parse().expect("a range")],
            ipv6_cidrs: Vec::new(),
            resolver: true,
            domain: Some("ec2.internal".into()),
            name_servers: Vec::new(),
            search: Vec::new(),
        })
    }

    fn named(name: &str, record: &str, values: Vec<NameValue>) -> Row {
        Row::Name(NameRow {
            vpc: "vpc-1".into(),
            name: name.into(),
            ttl: 10,
            values,
            record: record.into(),
        })
    }

    fn zones() -> Zones {
        let mut zones = Zones::default();
        let alias = |target: &str| {
            vec![NameValue::Alias {
                target: target.into(),
            }]
        };
        let address = NameValue::Address {
            address: IpAddr::from([10, 0, 0, 9]),
        };
        let service = NameValue::Service {
            priority: 1,
            weight: 2,
            port: 3,
            target: "web.local".into(),
        };
        zones.take(&ToHost::State {
            revision: 1,
            rows: vec![
                vpc("vpc-1"),
                vpc("vpc-2"),
                interface("eni-1", "vpc-1", [172, 31, 0, 5]),
                named("web.local", "A", vec![address]),
                named("web.local", "SRV", vec![service]),
                named("idle.local", "A", Vec::new()),
                named("front.local", "CNAME", alias("Web.Local")),
                named("loop.local", "CNAME", alias("loop.local")),
                named("out.local", "CNAME", alias("example.com")),
            ],
        });
        zones
    }

    fn asked(zones: &Zones, vpc: &str, name: &str, kind: u16) -> Known {
        let packet = message::tests::ask(name, kind);
        zones.look_up(vpc, &message::query(&packet).expect("a query"))
    }

    fn data(known: Known) -> Vec<Data> {
        match known {
            Known::Records(records) => records.into_iter().map(|record| record.data).collect(),
            other => panic!("{other:?} are no records"),
        }
    }

    #[test]
    fn an_interface_has_a_name_in_its_own_vpc() {
        let zones = zones();
        let (own, address) = ("ip-172-31-0-5.ec2.internal", Ipv4Addr::new(172, 31, 0, 5));
        assert_eq!(data(asked(&zones, "vpc-1", own, A)), [Data::A(address)]);
        assert_eq!(data(asked(&zones, "vpc-1", own, AAAA)), []);
        assert_eq!(asked(&zones, "vpc-2", own, A), Known::Nothing);
        let reverse = "5.0.31.172.in-addr.arpa";
        assert_eq!(
            data(asked(&zones, "vpc-1", reverse, PTR)),
            [Data::Ptr(own.into())]
        );
        assert_eq!(asked(&zones, "vpc-2", reverse, PTR), Known::Nothing);
        for nobody in [
            "ip-172-31-0-6.ec2.internal",
            "ip-x.ec2.internal",
            "web.ec2.internal",
        ] {
            assert_eq!(
                asked(&zones, "vpc-1", nobody, A),
                Known::Nothing,
                "{nobody}"
            );
        }
        for others in [
            "example.com",
            "notec2.internal",
            "5.0.0.8.in-addr.arpa",
            "1.arpa",
        ] {
            assert_eq!(
                asked(&zones, "vpc-1", others, A),
                Known::Elsewhere,
                "{others}"
            );
        }
        assert_eq!(asked(&zones, "vpc-3", "example.com", A), Known::NotYet);
        assert_eq!(zones.resolver("vpc-1"), Some(Ipv4Addr::new(172, 31, 0, 2)));
    }

    #[test]
    fn names_of_rows_are_answered_and_aliases_followed() {
        let zones = zones();
        let own = Data::A(Ipv4Addr::new(10, 0, 0, 9));
        let found = data(asked(&zones, "vpc-1", "WEB.local", A));
        assert_eq!(found, std::slice::from_ref(&own));
        let service = Data::Srv(1, 2, 3, "web.local".into());
        assert_eq!(data(asked(&zones, "vpc-1", "web.local", SRV)), [service]);
        assert_eq!(data(asked(&zones, "vpc-1", "web.local", AAAA)), []);
        assert_eq!(data(asked(&zones, "vpc-1", "idle.local", A)), []);
        let alias = Data::Cname("Web.Local".into());
        assert_eq!(data(asked(&zones, "vpc-1", "front.local", A)), [alias, own]);
        let out = Data::Cname("example.com".into());
        assert_eq!(data(asked(&zones, "vpc-1", "out.local", A)), [out]);
        assert_eq!(
            data(asked(&zones, "vpc-1", "loop.local", A)).len(),
            ALIASES_MAX
        );
        assert_eq!(asked(&zones, "vpc-2", "web.local", A), Known::Elsewhere);
    }

    #[test]
    fn what_is_removed_is_not_known_any_more() {
        let mut zones = zones();
        let remove = [
            interface("eni-1", "vpc-1", [172, 31, 0, 5]).key(),
            named("web.local", "A", Vec::new()).key(),
            named("web.local", "SRV", Vec::new()).key(),
        ];
        zones.take(&ToHost::Change {
            revision: 2,
            put: vec![interface("eni-2", "vpc-1", [172, 31, 0, 7])],
            remove: remove.to_vec(),
        });
        let known = |name: &str| asked(&zones, "vpc-1", name, A);
        assert_eq!(known("ip-172-31-0-5.ec2.internal"), Known::Nothing);
        assert_eq!(data(known("ip-172-31-0-7.ec2.internal")).len(), 1);
        assert_eq!(known("web.local"), Known::Elsewhere);
    }
}
