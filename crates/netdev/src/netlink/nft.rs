//! nfnetlink: elements of nftables maps, and the end of a table. Numbers from `linux/netfilter/nf_tables.h`.
//!
//! A process of `nft` costs 3 ms and reads the whole rule set; a batch here costs some 50 µs.

use std::net::Ipv4Addr;

use super::message::{Attributes, Batch, NLM_F_ACK};

const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;
pub(super) const SUBSYSTEM: u16 = 10;
pub(super) const NEWSETELEM: u16 = SUBSYSTEM << 8 | 12;
pub(super) const DELSETELEM: u16 = SUBSYSTEM << 8 | 14;
const DELTABLE: u16 = SUBSYSTEM << 8 | 2;
pub(super) const NLM_F_CREATE: u16 = 0x400;
const FAMILY_IPV4: u8 = 2;

const TABLE_NAME: u16 = 1;
pub(super) const LIST_TABLE: u16 = 1;
pub(super) const LIST_SET: u16 = 2;
pub(super) const LIST_ELEMENTS: u16 = 3;
pub(super) const LIST_ELEM: u16 = 1;
pub(super) const ELEM_KEY: u16 = 1;
pub(super) const ELEM_DATA: u16 = 2;
pub(super) const DATA_VALUE: u16 = 1;

/// The kernel refuses a nest above 64 KiB; an element takes 48 bytes.
const ELEMENTS_PER_MESSAGE_MAX: usize = 1000;

/// One line of a map `inet_service : ipv4_addr . inet_service`.
#[derive(Debug, Clone, Copy)]
pub struct Element {
    pub port: u16,
    pub to: (Ipv4Addr, u16),
}

/// `struct nfgenmsg` for an IPv4 table.
const HEAD: [u8; 4] = [FAMILY_IPV4, 0, 0, 0];

/// An atomic batch: `fill` between the opening and the closing message.
pub fn transaction(fill: impl FnOnce(&mut Batch)) -> Batch {
    let mut batch = Batch::atomic();
    let subsystem = SUBSYSTEM.to_be_bytes();
    let head = [0, 0, subsystem[0], subsystem[1]];
    batch.message(BATCH_BEGIN, 0, &head, |_| {});
    fill(&mut batch);
    batch.message(BATCH_END, 0, &head, |_| {});
    batch
}

impl Batch {
    pub fn add_elements(&mut self, table: &str, map: &str, elements: &[Element]) {
        for some in elements.chunks(ELEMENTS_PER_MESSAGE_MAX) {
            self.elements(NEWSETELEM, NLM_F_CREATE, table, map, |list| {
                for element in some {
                    list.nest(LIST_ELEM, |one| {
                        put_value(one, ELEM_KEY, &element.port.to_be_bytes());
                        put_value(one, ELEM_DATA, &target(element.to));
                    });
                }
            });
        }
    }

    pub fn delete_elements(&mut self, table: &str, map: &str, ports: &[u16]) {
        for some in ports.chunks(ELEMENTS_PER_MESSAGE_MAX) {
            self.elements(DELSETELEM, 0, table, map, |list| {
                for port in some {
                    list.nest(LIST_ELEM, |one| {
                        put_value(one, ELEM_KEY, &port.to_be_bytes());
                    });
                }
            });
        }
    }

    /// Empties a map: a deletion that names no element.
    pub fn flush_map(&mut self, table: &str, map: &str) {
        self.message(DELSETELEM, NLM_F_ACK, &HEAD, |list| {
            list.put_text(LIST_TABLE, table);
            list.put_text(LIST_SET, map);
        });
    }

    pub fn delete_table(&mut self, table: &str) {
        self.delete_table_of(HEAD, table);
    }

    pub(super) fn delete_table_of(&mut self, head: [u8; 4], table: &str) {
        self.message(DELTABLE, NLM_F_ACK, &head, |attributes| {
            attributes.put_text(TABLE_NAME, table);
        });
    }

    fn elements(
        &mut self,
        kind: u16,
        flags: u16,
        table: &str,
        map: &str,
        fill: impl FnOnce(&mut Attributes<'_>),
    ) {
        self.message(kind, flags | NLM_F_ACK, &HEAD, |list| {
            list.put_text(LIST_TABLE, table);
            list.put_text(LIST_SET, map);
            list.nest(LIST_ELEMENTS, fill);
        });
    }
}

fn put_value(attributes: &mut Attributes<'_>, kind: u16, value: &[u8]) {
    attributes.nest(kind, |data| data.put(DATA_VALUE, value));
}

/// Parts of a concatenation stand in registers of four bytes.
fn target((address, port): (Ipv4Addr, u16)) -> [u8; 8] {
    let ([a, b, c, d], [high, low]) = (address.octets(), port.to_be_bytes());
    [a, b, c, d, high, low, 0, 0]
}
