//! ctnetlink: forgetting UDP flows. Numbers from `linux/netfilter/nfnetlink_conntrack.h`.
//!
//! UDP has no end: a flow that was tracked before a mapping came or went keeps its old way for as
//! long as its client sends. TCP flows end with their sockets and are left alone.
//!
//! Linux 6.8 and newer delete by a filter; older kernels refuse that with EINVAL, and the flows are
//! listed and deleted one by one.

use std::net::Ipv4Addr;

use rustix::io::Errno;

use super::message::{Attributes, Batch, NLM_F_ACK, parse};
use super::{NLM_F_DUMP, Socket};

pub(super) const CT_GET: u16 = 1 << 8 | 1;
pub(super) const CT_DELETE: u16 = 1 << 8 | 2;
const FAMILY_IPV4: u8 = 2;
const IPPROTO_UDP: u8 = 17;

pub(super) const TUPLE_ORIG: u16 = 1;
pub(super) const TUPLE_REPLY: u16 = 2;
const ZONE: u16 = 18;
pub(super) const FILTER: u16 = 25;
pub(super) const TUPLE_IP: u16 = 1;
pub(super) const TUPLE_PROTO: u16 = 2;
pub(super) const IP_V4_SRC: u16 = 1;
pub(super) const PROTO_NUM: u16 = 1;
pub(super) const PROTO_SRC_PORT: u16 = 2;
pub(super) const PROTO_DST_PORT: u16 = 3;
pub(super) const FILTER_ORIG_FLAGS: u16 = 1;
pub(super) const FILTER_REPLY_FLAGS: u16 = 2;
pub(super) const BY_IP_SRC: u32 = 1 << 0;
const BY_PROTO_NUM: u32 = 1 << 3;
const BY_PROTO_SRC_PORT: u32 = 1 << 4;
const BY_PROTO_DST_PORT: u32 = 1 << 5;

/// `struct nfgenmsg`. Version 1: the kernel overlooks the family in a filtered deletion of version 0.
const HEAD: [u8; 4] = [FAMILY_IPV4, 1, 0, 0];
const HEAD_LEN: usize = HEAD.len();

/// Some of the tracked UDP flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UdpFlows {
    /// Sent to this port of the host, whatever they were answered by.
    ToPort(u16),
    /// Answered by this port of a container.
    AnsweredBy(Ipv4Addr, u16),
}

impl Socket {
    /// Forgets the flows. That there is none is the usual case, and no error.
    pub fn forget(&mut self, flows: &[UdpFlows]) -> Result<(), Errno> {
        match self.forget_by_filter(flows) {
            Err(Errno::INVAL) => self.forget_one_by_one(flows),
            other => other,
        }
    }

    fn forget_by_filter(&mut self, flows: &[UdpFlows]) -> Result<(), Errno> {
        let mut batch = Batch::new();
        for flow in flows {
            flow.delete_by_filter(&mut batch);
        }
        self.delete(batch)
    }

    fn forget_one_by_one(&mut self, flows: &[UdpFlows]) -> Result<(), Errno> {
        let mut list = Batch::new();
        list.message(CT_GET, NLM_F_DUMP, &HEAD, |_| {});
        let mut batch = Batch::new();
        self.dump(list, |_, payload| {
            let Some(tracked) = Tracked::parse(payload) else {
                return;
            };
            if flows.iter().any(|flow| flow.has(&tracked)) {
                tracked.delete(&mut batch);
            }
        })
        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        self.delete(batch)
    }

    pub(super) fn delete(&mut self, batch: Batch) -> Result<(), Errno> {
        if batch.bytes().is_empty() {
            return Ok(());
        }
        match self.transact(batch) {
            Ok(()) | Err((_, Errno::NOENT)) => Ok(()),
            Err((_, errno)) => Err(errno),
        }
    }
}

impl UdpFlows {
    fn delete_by_filter(self, batch: &mut Batch) {
        let (orig, reply) = match self {
            Self::ToPort(_) => (BY_PROTO_NUM | BY_PROTO_DST_PORT, 0),
            Self::AnsweredBy(..) => (0, BY_IP_SRC | BY_PROTO_NUM | BY_PROTO_SRC_PORT),
        };
        batch.message(CT_DELETE, NLM_F_ACK, &HEAD, |flow| {
            match self {
                Self::ToPort(port) => flow.nest(TUPLE_ORIG, |tuple| {
                    tuple.nest(TUPLE_PROTO, |proto| put_udp(proto, PROTO_DST_PORT, port));
                }),
                Self::AnsweredBy(address, port) => flow.nest(TUPLE_REPLY, |tuple| {
                    tuple.nest(TUPLE_IP, |ip| ip.put(IP_V4_SRC, &address.octets()));
                    tuple.nest(TUPLE_PROTO, |proto| put_udp(proto, PROTO_SRC_PORT, port));
                }),
            }
            flow.nest(FILTER, |filter| {
                filter.put_u32(FILTER_ORIG_FLAGS, orig);
                filter.put_u32(FILTER_REPLY_FLAGS, reply);
            });
        });
    }

    fn has(self, tracked: &Tracked<'_>) -> bool {
        let is = |tuple: &[u8], kind: u16, value: &[u8]| {
            in_nest(tuple, TUPLE_PROTO, PROTO_NUM) == Some(&[IPPROTO_UDP])
                && in_nest(tuple, TUPLE_PROTO, kind) == Some(value)
        };
        match self {
            Self::ToPort(port) => is(tracked.orig, PROTO_DST_PORT, &port.to_be_bytes()),
            Self::AnsweredBy(address, port) => {
                is(tracked.reply, PROTO_SRC_PORT, &port.to_be_bytes())
                    && in_nest(tracked.reply, TUPLE_IP, IP_V4_SRC) == Some(&address.octets())
            }
        }
    }
}

fn put_udp(proto: &mut Attributes<'_>, which_port: u16, port: u16) {
    proto.put(PROTO_NUM, &[IPPROTO_UDP]);
    proto.put(which_port, &port.to_be_bytes());
}

/// One tracked flow as the kernel lists it: the attributes of its two directions.
#[derive(Debug)]
pub(super) struct Tracked<'a> {
    pub(super) orig: &'a [u8],
    pub(super) reply: &'a [u8],
    zone: Option<&'a [u8]>,
}

impl<'a> Tracked<'a> {
    pub(super) fn parse(payload: &'a [u8]) -> Option<Self> {
        let attributes = payload.get(HEAD_LEN..)?;
        let find = |kind| parse(attributes).find(|(k, _)| *k == kind).map(|(_, v)| v);
        Some(Self {
            orig: find(TUPLE_ORIG)?,
            reply: find(TUPLE_REPLY)?,
            zone: find(ZONE),
        })
    }

    fn delete(&self, batch: &mut Batch) {
        self.delete_of_family(HEAD, batch);
    }

    pub(super) fn delete_of_family(&self, head: [u8; HEAD_LEN], batch: &mut Batch) {
        batch.message(CT_DELETE, NLM_F_ACK, &head, |flow| {
            flow.nest(TUPLE_ORIG, |tuple| tuple.raw(self.orig));
            if let Some(zone) = self.zone {
                flow.put(ZONE, zone);
            }
        });
    }
}

pub(super) fn in_nest(tuple: &[u8], nest: u16, kind: u16) -> Option<&[u8]> {
    let (_, value) = parse(tuple).find(|(k, _)| *k == nest)?;
    parse(value).find(|(k, _)| *k == kind).map(|(_, v)| v)
}

#[cfg(test)]
mod tests {
    use super::super::message::HEADER_LEN;
    use super::*;

    /// A listed flow: from a client to port 5353 of the host, answered by port 53 of 10.0.0.2.
    fn listed(protocol: u8) -> Vec<u8> {
        let mut batch = Batch::new();
        batch.message(0, 0, &HEAD, |flow| {
            for (kind, source, ports) in [
                (TUPLE_ORIG, [192, 0, 2, 9], [40_000u16, 5353]),
                (TUPLE_REPLY, [10, 0, 0, 2], [53, 40_000]),
            ] {
                flow.nest(kind, |tuple| {
                    tuple.nest(TUPLE_IP, |ip| ip.put(IP_V4_SRC, &source));
                    tuple.nest(TUPLE_PROTO, |proto| {
                        proto.put(PROTO_NUM, &[protocol]);
                        proto.put(PROTO_SRC_PORT, &ports[0].to_be_bytes());
                        proto.put(PROTO_DST_PORT, &ports[1].to_be_bytes());
                    });
                });
            }
        });
        batch.bytes()[HEADER_LEN..].to_vec()
    }

    #[test]
    fn a_listed_flow_is_told_by_its_port_or_by_who_answered() {
        let udp = listed(IPPROTO_UDP);
        let udp = Tracked::parse(&udp).expect("a flow");
        let container = Ipv4Addr::new(10, 0, 0, 2);
        assert!(UdpFlows::ToPort(5353).has(&udp));
        assert!(!UdpFlows::ToPort(40_000).has(&udp) && !UdpFlows::ToPort(53).has(&udp));
        assert!(UdpFlows::AnsweredBy(container, 53).has(&udp));
        assert!(!UdpFlows::AnsweredBy(container, 5353).has(&udp));
        assert!(!UdpFlows::AnsweredBy(Ipv4Addr::new(10, 0, 0, 3), 53).has(&udp));
        let tcp = listed(6);
        let tcp = Tracked::parse(&tcp).expect("a flow");
        assert!(!UdpFlows::ToPort(5353).has(&tcp));
        assert!(!UdpFlows::AnsweredBy(container, 53).has(&tcp));
    }
}
