//! ctnetlink: forgetting UDP flows. Numbers from `linux/netfilter/nfnetlink_conntrack.h`.
//!
//! UDP has no end: a flow that was tracked before a mapping came or went keeps its old way for as
//! long as its client sends. TCP flows end with their sockets and are left alone.

use std::net::Ipv4Addr;

use super::message::{Attributes, Batch, NLM_F_ACK};

const CT_DELETE: u16 = 1 << 8 | 2;
const FAMILY_IPV4: u8 = 2;
const IPPROTO_UDP: u8 = 17;

const TUPLE_ORIG: u16 = 1;
const TUPLE_REPLY: u16 = 2;
const FILTER: u16 = 25;
const TUPLE_IP: u16 = 1;
const TUPLE_PROTO: u16 = 2;
const IP_V4_SRC: u16 = 1;
const PROTO_NUM: u16 = 1;
const PROTO_SRC_PORT: u16 = 2;
const PROTO_DST_PORT: u16 = 3;
const FILTER_ORIG_FLAGS: u16 = 1;
const FILTER_REPLY_FLAGS: u16 = 2;
const BY_IP_SRC: u32 = 1 << 0;
const BY_PROTO_NUM: u32 = 1 << 3;
const BY_PROTO_SRC_PORT: u32 = 1 << 4;
const BY_PROTO_DST_PORT: u32 = 1 << 5;

/// `struct nfgenmsg`. Version 1: the kernel overlooks the family in a filtered deletion of version 0.
const HEAD: [u8; 4] = [FAMILY_IPV4, 1, 0, 0];

impl Batch {
    /// Flows sent to this UDP port of the host, whatever they were answered by.
    pub fn forget_udp_to_port(&mut self, port: u16) {
        self.forget(BY_PROTO_NUM | BY_PROTO_DST_PORT, 0, |flow| {
            flow.nest(TUPLE_ORIG, |tuple| {
                tuple.nest(TUPLE_PROTO, |proto| {
                    proto.put(PROTO_NUM, &[IPPROTO_UDP]);
                    proto.put(PROTO_DST_PORT, &port.to_be_bytes());
                });
            });
        });
    }

    /// Flows answered by this UDP port of a container.
    pub fn forget_udp_answered_by(&mut self, address: Ipv4Addr, port: u16) {
        self.forget(0, BY_IP_SRC | BY_PROTO_NUM | BY_PROTO_SRC_PORT, |flow| {
            flow.nest(TUPLE_REPLY, |tuple| {
                tuple.nest(TUPLE_IP, |ip| ip.put(IP_V4_SRC, &address.octets()));
                tuple.nest(TUPLE_PROTO, |proto| {
                    proto.put(PROTO_NUM, &[IPPROTO_UDP]);
                    proto.put(PROTO_SRC_PORT, &port.to_be_bytes());
                });
            });
        });
    }

    fn forget(&mut self, orig: u32, reply: u32, tuple: impl FnOnce(&mut Attributes<'_>)) {
        self.message(CT_DELETE, NLM_F_ACK, &HEAD, |flow| {
            tuple(flow);
            flow.nest(FILTER, |filter| {
                filter.put_u32(FILTER_ORIG_FLAGS, orig);
                filter.put_u32(FILTER_REPLY_FLAGS, reply);
            });
        });
    }
}
