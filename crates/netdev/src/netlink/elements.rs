//! Elements of any set or map of a table of family `inet`, as bytes of the kernel's registers.
//!
//! What the bytes mean is the caller's affair. They are written, deleted and read back alike, so that
//! what a table holds can be compared with what it shall hold.

use std::io;

use super::message::{Attributes, Batch, NLM_F_ACK, parse};
use super::nft::{
    DATA_VALUE, DELSETELEM, ELEM_DATA, ELEM_KEY, LIST_ELEM, LIST_ELEMENTS, LIST_SET, LIST_TABLE,
    NEWSETELEM, NLM_F_CREATE, SUBSYSTEM,
};
use super::{NLM_F_DUMP, Socket};

const GETSETELEM: u16 = SUBSYSTEM << 8 | 13;
const NEWCHAIN: u16 = SUBSYSTEM << 8 | 3;
const GETCHAIN: u16 = SUBSYSTEM << 8 | 4;
const CHAIN_TABLE: u16 = 1;
const CHAIN_NAME: u16 = 3;
const ELEM_KEY_END: u16 = 10;
const DATA_VERDICT: u16 = 2;
const VERDICT_CODE: u16 = 1;
const VERDICT_CHAIN: u16 = 2;
/// `NFT_JUMP`.
const JUMP: i32 = -3;
/// An element takes at most some 150 bytes, a nest 64 KiB.
const ELEMENTS_PER_MESSAGE_MAX: usize = 400;
const HEAD_LEN: usize = 4;

/// `struct nfgenmsg` for family `inet`.
const HEAD: [u8; HEAD_LEN] = [1, 0, 0, 0];
/// For family `bridge`.
const BRIDGE_HEAD: [u8; HEAD_LEN] = [7, 0, 0, 0];

/// One element. Fields of a concatenation stand one after another, each padded to four bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RawElement {
    pub key: Vec<u8>,
    /// The last key of a range; always there in a set with intervals.
    pub end: Option<Vec<u8>>,
    /// For a map.
    pub data: Option<Data>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Data {
    Value(Vec<u8>),
    /// The verdict `jump` to a chain of the table.
    Jump(String),
}

impl Batch {
    /// A table of family `inet`.
    pub fn delete_inet_table(&mut self, table: &str) {
        self.delete_table_of(HEAD, table);
    }

    /// A table of family `bridge`.
    pub fn delete_bridge_table(&mut self, table: &str) {
        self.delete_table_of(BRIDGE_HEAD, table);
    }

    /// Of a set, not a map, of family `bridge`.
    pub fn put_bridge_elements(&mut self, table: &str, set: &str, some: &[&RawElement]) {
        let to = (BRIDGE_HEAD, table, set);
        self.raw_elements(NEWSETELEM, NLM_F_CREATE, to, some, |_, _| {});
    }

    pub fn put_elements(&mut self, table: &str, set: &str, some: &[&RawElement]) {
        self.raw_elements(
            NEWSETELEM,
            NLM_F_CREATE,
            (HEAD, table, set),
            some,
            |one, element| match &element.data {
                Some(Data::Value(value)) => one.nest(ELEM_DATA, |d| d.put(DATA_VALUE, value)),
                Some(Data::Jump(chain)) => one.nest(ELEM_DATA, |data| {
                    data.nest(DATA_VERDICT, |verdict| {
                        verdict.put(VERDICT_CODE, &JUMP.to_be_bytes());
                        verdict.put_text(VERDICT_CHAIN, chain);
                    });
                }),
                None => {}
            },
        );
    }

    /// Each must be there.
    pub fn drop_elements(&mut self, table: &str, set: &str, some: &[&RawElement]) {
        self.raw_elements(DELSETELEM, 0, (HEAD, table, set), some, |_, _| {});
    }

    fn raw_elements(
        &mut self,
        kind: u16,
        flags: u16,
        (head, table, set): ([u8; HEAD_LEN], &str, &str),
        elements: &[&RawElement],
        data: impl Fn(&mut Attributes<'_>, &RawElement),
    ) {
        for some in elements.chunks(ELEMENTS_PER_MESSAGE_MAX) {
            self.message(kind, flags | NLM_F_ACK, &head, |list| {
                list.put_text(LIST_TABLE, table);
                list.put_text(LIST_SET, set);
                list.nest(LIST_ELEMENTS, |list| {
                    for element in some {
                        list.nest(LIST_ELEM, |one| {
                            one.nest(ELEM_KEY, |d| d.put(DATA_VALUE, &element.key));
                            if let Some(end) = &element.end {
                                one.nest(ELEM_KEY_END, |d| d.put(DATA_VALUE, end));
                            }
                            data(one, element);
                        });
                    }
                });
            });
        }
    }
}

impl Socket {
    /// What the set holds.
    pub fn elements(&mut self, table: &str, set: &str) -> io::Result<Vec<RawElement>> {
        let mut batch = Batch::new();
        batch.message(GETSETELEM, NLM_F_DUMP, &HEAD, |list| {
            list.put_text(LIST_TABLE, table);
            list.put_text(LIST_SET, set);
        });
        let mut found = Vec::new();
        self.dump(batch, |kind, payload| {
            if kind != NEWSETELEM {
                return;
            }
            let lists = parse(payload.get(HEAD_LEN..).unwrap_or_default())
                .filter(|(kind, _)| *kind == LIST_ELEMENTS);
            for (_, list) in lists {
                found.extend(parse(list).filter_map(|(_, element)| element_of(element)));
            }
        })?;
        Ok(found)
    }
}

impl Socket {
    /// The names of a table's chains.
    pub fn chains(&mut self, table: &str) -> io::Result<Vec<String>> {
        let mut batch = Batch::new();
        batch.message(GETCHAIN, NLM_F_DUMP, &HEAD, |_| {});
        let mut found = Vec::new();
        self.dump(batch, |kind, payload| {
            if kind != NEWCHAIN {
                return;
            }
            let text = |wanted| {
                let value = parse(payload.get(HEAD_LEN..)?).find(|(kind, _)| *kind == wanted);
                let text = String::from_utf8_lossy(value?.1).into_owned();
                Some(text.trim_end_matches('\0').to_owned())
            };
            if text(CHAIN_TABLE).as_deref() == Some(table) {
                found.extend(text(CHAIN_NAME));
            }
        })?;
        Ok(found)
    }
}

fn element_of(bytes: &[u8]) -> Option<RawElement> {
    let value = |nest: &[u8]| {
        parse(nest)
            .find(|(kind, _)| *kind == DATA_VALUE)
            .map(|(_, value)| value.to_vec())
    };
    let (mut key, mut end, mut data) = (None, None, None);
    for (kind, nest) in parse(bytes) {
        match kind {
            ELEM_KEY => key = value(nest),
            ELEM_KEY_END => end = value(nest),
            ELEM_DATA => data = value(nest).map(Data::Value).or_else(|| jump_of(nest)),
            _ => {}
        }
    }
    Some(RawElement {
        key: key?,
        end,
        data,
    })
}

fn jump_of(data: &[u8]) -> Option<Data> {
    let (_, verdict) = parse(data).find(|(kind, _)| *kind == DATA_VERDICT)?;
    let (_, chain) = parse(verdict).find(|(kind, _)| *kind == VERDICT_CHAIN)?;
    let text = String::from_utf8_lossy(chain);
    Some(Data::Jump(text.trim_end_matches('\0').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::message::HEADER_LEN;
    use super::*;

    #[test]
    fn an_element_is_read_back_as_it_was_written() {
        for data in [
            None,
            Some(Data::Value(vec![1, 2, 3, 4])),
            Some(Data::Jump("acl_x".into())),
        ] {
            let element = RawElement {
                key: vec![1; 8],
                end: Some(vec![2; 8]),
                data,
            };
            let mut batch = Batch::new();
            batch.put_elements("t", "s", &[&element]);
            let payload = &batch.bytes()[HEADER_LEN + HEAD_LEN..];
            let (_, list) = parse(payload).find(|(k, _)| *k == LIST_ELEMENTS).unwrap();
            let (_, one) = parse(list).next().unwrap();
            assert_eq!(element_of(one), Some(element));
        }
    }
}
