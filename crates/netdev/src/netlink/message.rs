//! Netlink's bytes: messages with a header, attributes with a length, both padded to four bytes.

pub const HEADER_LEN: usize = 16;
const ATTRIBUTE_HEADER_LEN: usize = 4;
const NESTED: u16 = 0x8000;

pub const NLM_F_REQUEST: u16 = 1;
pub const NLM_F_ACK: u16 = 4;

pub fn aligned(len: usize) -> usize {
    len.next_multiple_of(4)
}

/// Messages for one send. `atomic`: nfnetlink's batches, applied all or not at all.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    sequence: u32,
    acknowledged: Vec<u32>,
    atomic: bool,
}

impl Batch {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn atomic() -> Self {
        Self {
            atomic: true,
            ..Self::default()
        }
    }

    pub fn is_atomic(&self) -> bool {
        self.atomic
    }

    /// Appends a message: its type, flags beside `NLM_F_REQUEST`, the family's own header, and what
    /// `fill` adds.
    pub fn message(
        &mut self,
        kind: u16,
        flags: u16,
        head: &[u8],
        fill: impl FnOnce(&mut Attributes<'_>),
    ) {
        let start = self.bytes.len();
        self.sequence += 1;
        if flags & NLM_F_ACK != 0 {
            self.acknowledged.push(self.sequence);
        }
        self.bytes.extend([0; 4]);
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend((flags | NLM_F_REQUEST).to_ne_bytes());
        self.bytes.extend(self.sequence.to_ne_bytes());
        self.bytes.extend([0; 4]);
        self.bytes.extend(head);
        pad(&mut self.bytes);
        fill(&mut Attributes {
            bytes: &mut self.bytes,
        });
        let len = u32::try_from(self.bytes.len() - start).expect("a message is far below 4 GiB");
        self.bytes[start..start + 4].copy_from_slice(&len.to_ne_bytes());
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Sequence numbers of the messages that ask for an acknowledgement, in order.
    pub fn acknowledged(&self) -> Vec<u32> {
        self.acknowledged.clone()
    }
}

#[derive(Debug)]
pub struct Attributes<'a> {
    bytes: &'a mut Vec<u8>,
}

impl Attributes<'_> {
    pub fn put(&mut self, kind: u16, value: &[u8]) {
        let len = u16::try_from(ATTRIBUTE_HEADER_LEN + value.len())
            .expect("attributes written here are short");
        self.bytes.extend(len.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(value);
        pad(self.bytes);
    }

    pub fn put_text(&mut self, kind: u16, text: &str) {
        let mut value = text.as_bytes().to_vec();
        value.push(0);
        self.put(kind, &value);
    }

    /// The kernel's links and routes speak the machine's byte order.
    pub fn put_u32(&mut self, kind: u16, value: u32) {
        self.put(kind, &value.to_ne_bytes());
    }

    /// A header in the middle of a nest (the peer of a veth pair has one).
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        pad(self.bytes);
    }

    pub fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Attributes<'_>)) {
        let start = self.bytes.len();
        self.bytes.extend([0; 2]);
        self.bytes.extend((kind | NESTED).to_ne_bytes());
        fill(&mut Attributes { bytes: self.bytes });
        let len =
            u16::try_from(self.bytes.len() - start).expect("nests written here are below 64 KiB");
        self.bytes[start..start + 2].copy_from_slice(&len.to_ne_bytes());
    }
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(aligned(bytes.len()), 0);
}

/// The attributes of a received message: (type, value). Stops at the first that does not fit.
pub fn parse(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let header = rest.first_chunk::<ATTRIBUTE_HEADER_LEN>()?;
        let len = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let kind = u16::from_ne_bytes([header[2], header[3]]) & 0x3fff;
        let value = rest.get(ATTRIBUTE_HEADER_LEN..len)?;
        rest = rest.get(aligned(len)..).unwrap_or_default();
        Some((kind, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(values in proptest::collection::vec((0u16..0x3fff, proptest::collection::vec(any::<u8>(), 0..40)), 0..10)) {
            let mut batch = Batch::new();
            batch.message(1, 0, &[], |a| values.iter().for_each(|(kind, value)| a.put(*kind, value)));
            let back: Vec<_> = parse(&batch.bytes()[HEADER_LEN..]).map(|(k, v)| (k, v.to_vec())).collect();
            prop_assert_eq!(back, values);
        }

        #[test]
        fn any_bytes_are_parsed_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            parse(&bytes).for_each(drop);
        }
    }
}
