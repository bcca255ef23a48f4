//! ctnetlink: forgetting the flows of an interface of a VPC, of both families.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use rustix::io::Errno;

use super::conntrack::{
    BY_IP_SRC, CT_DELETE, CT_GET, FILTER, FILTER_ORIG_FLAGS, FILTER_REPLY_FLAGS, IP_V4_SRC,
    PROTO_DST_PORT, PROTO_NUM, PROTO_SRC_PORT, TUPLE_IP, TUPLE_ORIG, TUPLE_PROTO, TUPLE_REPLY,
    Tracked, in_nest,
};
use super::message::{Batch, NLM_F_ACK};
use super::{NLM_F_DUMP, Socket};

const FAMILY_IPV4: u8 = 2;
const FAMILY_IPV6: u8 = 10;
const IP_V6_SRC: u16 = 3;
/// So many deletions are sent at once: the answers must fit the socket.
const DELETIONS_MAX: usize = 100;

/// Some of the flows of an address.
#[derive(Debug, Clone)]
pub struct Flows {
    /// The address of the interface.
    pub address: IpAddr,
    /// Opened by the other side.
    pub is_inbound: bool,
    /// The protocol.
    pub protocol: u8,
    /// The ports they were opened to.
    pub ports: RangeInclusive<u16>,
}

impl Socket {
    /// Forgets every flow that an address opened or answered.
    pub fn forget_address(&mut self, address: IpAddr) -> Result<(), Errno> {
        let head = head(address);
        for (nest, flags) in [
            (TUPLE_ORIG, FILTER_ORIG_FLAGS),
            (TUPLE_REPLY, FILTER_REPLY_FLAGS),
        ] {
            let mut batch = Batch::new();
            batch.message(CT_DELETE, NLM_F_ACK, &head, |flow| {
                flow.nest(nest, |tuple| {
                    tuple.nest(TUPLE_IP, |ip| match address {
                        IpAddr::V4(address) => ip.put(IP_V4_SRC, &address.octets()),
                        IpAddr::V6(address) => ip.put(IP_V6_SRC, &address.octets()),
                    });
                });
                flow.nest(FILTER, |filter| {
                    for kind in [FILTER_ORIG_FLAGS, FILTER_REPLY_FLAGS] {
                        filter.put_u32(kind, if kind == flags { BY_IP_SRC } else { 0 });
                    }
                });
            });
            match self.delete(batch) {
                // Kernels before 6.8 know no such filter.
                Err(Errno::INVAL) => self.forget_where(address, |flow| {
                    is_from(flow.orig, address) || is_from(flow.reply, address)
                })?,
                other => other?,
            }
        }
        Ok(())
    }

    /// Forgets these flows.
    pub fn forget_flows(&mut self, flows: &Flows) -> Result<(), Errno> {
        self.forget_where(flows.address, |flow| flows.has(flow))
    }

    fn forget_where(
        &mut self,
        address: IpAddr,
        is_meant: impl Fn(&Tracked<'_>) -> bool,
    ) -> Result<(), Errno> {
        let head = head(address);
        let mut list = Batch::new();
        list.message(CT_GET, NLM_F_DUMP, &head, |_| {});
        let mut batches = vec![(Batch::new(), 0)];
        self.dump(list, |_, payload| {
            let Some(flow) = Tracked::parse(payload).filter(|flow| is_meant(flow)) else {
                return;
            };
            if batches.last().is_some_and(|(_, len)| *len >= DELETIONS_MAX) {
                batches.push((Batch::new(), 0));
            }
            if let Some((batch, len)) = batches.last_mut() {
                flow.delete_of_family(head, batch);
                *len += 1;
            }
        })
        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        batches
            .into_iter()
            .try_for_each(|(batch, _)| self.delete(batch))
    }
}

impl Flows {
    fn has(&self, flow: &Tracked<'_>) -> bool {
        // Addresses and ports as the interface sees them: behind a translation of the destination
        // they stand in the answers' direction.
        let (tuple, port) = if self.is_inbound {
            (flow.reply, PROTO_SRC_PORT)
        } else {
            (flow.orig, PROTO_DST_PORT)
        };
        let port = in_nest(tuple, TUPLE_PROTO, port).and_then(|p| p.first_chunk::<2>());
        is_from(tuple, self.address)
            && in_nest(tuple, TUPLE_PROTO, PROTO_NUM) == Some(&[self.protocol])
            && port.is_some_and(|port| self.ports.contains(&u16::from_be_bytes(*port)))
    }
}

fn is_from(tuple: &[u8], address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => in_nest(tuple, TUPLE_IP, IP_V4_SRC) == Some(&address.octets()),
        IpAddr::V6(address) => in_nest(tuple, TUPLE_IP, IP_V6_SRC) == Some(&address.octets()),
    }
}

/// `struct nfgenmsg`. Version 1: the kernel overlooks the family in a filtered deletion of version 0.
fn head(address: IpAddr) -> [u8; 4] {
    let family = if address.is_ipv4() {
        FAMILY_IPV4
    } else {
        FAMILY_IPV6
    };
    [family, 1, 0, 0]
}
