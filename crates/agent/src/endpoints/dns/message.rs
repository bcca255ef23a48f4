//! DNS messages: the question of a query, and answers to it.
//!
//! Pure. Rule: RFC 1035 section 4, RFC 6891 for the size that a client takes. Only what a stub resolver
//! asks is read: one question; what is forwarded is not read beyond it.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Types of records.
pub const A: u16 = 1;
pub const CNAME: u16 = 5;
pub const PTR: u16 = 12;
pub const AAAA: u16 = 28;
pub const SRV: u16 = 33;
const OPT: u16 = 41;
/// The Internet.
pub const IN: u16 = 1;

const HEADER_BYTES: usize = 12;
const NAME_BYTES_MAX: usize = 255;
const LABEL_BYTES_MAX: usize = 63;
/// What every client takes by UDP.
const UDP_BYTES: usize = 512;
/// What we send at most by UDP: it passes every link whole.
const UDP_BYTES_MAX: usize = 1232;
/// Bits of the second word.
const RESPONSE: u16 = 0x8000;
const OPCODE: u16 = 0x7800;
const AUTHORITATIVE: u16 = 0x0400;
const TRUNCATED: u16 = 0x0200;
const RECURSION_DESIRED: u16 = 0x0100;
const RECURSION_AVAILABLE: u16 = 0x0080;

/// What an answer says of the query as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// There are records, or the name has none of that type.
    Fine = 0,
    /// The query cannot be read.
    BadFormat = 1,
    /// Nobody could be asked.
    Failed = 2,
    /// The name does not exist.
    NoName = 3,
    /// No such kind of query.
    Unknown = 4,
}

/// A query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// In lower case, without a dot at the end.
    pub name: String,
    /// [`A`] and so on.
    pub kind: u16,
    /// [`IN`].
    pub class: u16,
    /// Where the question ends.
    end: usize,
    /// What the client takes by UDP, bytes.
    pub udp_bytes: usize,
}

/// A record of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whose.
    pub name: String,
    /// Seconds for which it may be kept.
    pub ttl: u32,
    /// What it says.
    pub data: Data,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// An address.
    A(Ipv4Addr),
    /// An address.
    Aaaa(Ipv6Addr),
    /// Another name.
    Cname(String),
    /// The name of an address.
    Ptr(String),
    /// Priority, weight, port and host of a service.
    Srv(u16, u16, u16, String),
}

/// Reads a query.
///
/// # Errors
/// What to answer; `None` where nothing is to be answered: it is no query.
pub fn query(packet: &[u8]) -> Result<Query, Option<Code>> {
    let word = |at: usize| -> Option<u16> {
        let bytes = packet.get(at..at + 2)?;
        Some(u16::from_be_bytes([bytes[0], bytes[1]]))
    };
    let flags = word(2)
        .filter(|_| packet.len() >= HEADER_BYTES)
        .ok_or(None)?;
    if flags & RESPONSE != 0 {
        return Err(None);
    }
    if flags & OPCODE != 0 {
        return Err(Some(Code::Unknown));
    }
    let bad = || Some(Code::BadFormat);
    let counts = [4, 6, 8, 10].map(|at| word(at).unwrap_or(0));
    if counts[..3] != [1, 0, 0] || counts[3] > 1 {
        return Err(bad());
    }
    let (name, at) = name(packet).ok_or_else(bad)?;
    let (kind, class) = word(at).zip(word(at + 2)).ok_or_else(bad)?;
    let end = at + 4;
    // The only record that may follow says what the client takes: root, type, size.
    let is_sized = counts[3] == 1 && packet.get(end) == Some(&0) && word(end + 1) == Some(OPT);
    let asked = word(end + 3).filter(|_| is_sized).map_or(0, usize::from);
    Ok(Query {
        name,
        kind,
        class,
        end,
        udp_bytes: asked.clamp(UDP_BYTES, UDP_BYTES_MAX),
    })
}

/// The name of the question and where it ends; a question has nothing before it to refer to.
fn name(packet: &[u8]) -> Option<(String, usize)> {
    let mut at = HEADER_BYTES;
    let mut name = String::new();
    loop {
        let length = usize::from(*packet.get(at)?);
        at += 1;
        if length == 0 {
            return Some((name, at));
        }
        let label = packet.get(at..at + length)?;
        let is_plain = |byte: &u8| byte.is_ascii_graphic() && *byte != b'.';
        if length > LABEL_BYTES_MAX
            || name.len() + length + 1 > NAME_BYTES_MAX
            || !label.iter().all(is_plain)
        {
            return None;
        }
        if !name.is_empty() {
            name.push('.');
        }
        name.extend(
            label
                .iter()
                .map(|byte| char::from(byte.to_ascii_lowercase())),
        );
        at += length;
    }
}

/// The answer to a query that was read from `packet`. One longer than `bytes_max` says so and has no
/// records: the client asks again by TCP.
#[must_use]
pub fn answer(
    packet: &[u8],
    query: &Query,
    code: Code,
    records: &[Record],
    bytes_max: usize,
) -> Vec<u8> {
    let mut whole = head(packet, code, AUTHORITATIVE, (1, records.len()));
    whole.extend(&packet[HEADER_BYTES..query.end]);
    let question_ends = whole.len();
    let fits = records
        .iter()
        .all(|record| put_record(&mut whole, record).is_some());
    if fits && whole.len() <= bytes_max {
        return whole;
    }
    let mut short = head(packet, code, AUTHORITATIVE | TRUNCATED, (1, 0));
    short.extend(&whole[HEADER_BYTES..question_ends]);
    short
}

/// The refusal of a query that could not be read; `packet` has a whole head.
#[must_use]
pub fn refusal(packet: &[u8], code: Code) -> Vec<u8> {
    head(packet, code, 0, (0, 0))
}

/// The refusal of one that was read.
#[must_use]
pub fn failure(packet: &[u8], query: &Query) -> Vec<u8> {
    let mut answer = head(packet, Code::Failed, 0, (1, 0));
    answer.extend(&packet[HEADER_BYTES..query.end]);
    answer
}

/// Whether `answer` is one to `packet`: the same number and question, as nobody can guess who did not see it.
#[must_use]
pub fn is_answer_to(answer: &[u8], packet: &[u8], query: &Query) -> bool {
    let question = HEADER_BYTES..query.end;
    let is_response = answer.get(2).is_some_and(|flags| flags & 0x80 != 0);
    let same = match (answer.get(question.clone()), packet.get(question)) {
        (Some(theirs), Some(ours)) => theirs.eq_ignore_ascii_case(ours),
        _ => false,
    };
    is_response && same && answer.get(..2) == packet.get(..2)
}

fn head(packet: &[u8], code: Code, flags: u16, (questions, answers): (u16, usize)) -> Vec<u8> {
    let asked = u16::from_be_bytes([packet[2], packet[3]]) & (OPCODE | RECURSION_DESIRED);
    let flags = RESPONSE | RECURSION_AVAILABLE | asked | flags | code as u16;
    let answers = u16::try_from(answers).unwrap_or(u16::MAX);
    let mut head = packet[..2].to_vec();
    for word in [flags, questions, answers, 0, 0] {
        head.extend(word.to_be_bytes());
    }
    head
}

/// `None` for a name that cannot be written.
fn put_record(to: &mut Vec<u8>, record: &Record) -> Option<()> {
    let mut data = Vec::new();
    let kind = match &record.data {
        Data::A(address) => {
            data.extend(address.octets());
            A
        }
        Data::Aaaa(address) => {
            data.extend(address.octets());
            AAAA
        }
        Data::Cname(name) => {
            put_name(&mut data, name)?;
            CNAME
        }
        Data::Ptr(name) => {
            put_name(&mut data, name)?;
            PTR
        }
        Data::Srv(priority, weight, port, target) => {
            for word in [priority, weight, port] {
                data.extend(word.to_be_bytes());
            }
            put_name(&mut data, target)?;
            SRV
        }
    };
    put_name(to, &record.name)?;
    to.extend(kind.to_be_bytes());
    to.extend(IN.to_be_bytes());
    to.extend(record.ttl.to_be_bytes());
    to.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
    to.extend(data);
    Some(())
}

fn put_name(to: &mut Vec<u8>, name: &str) -> Option<()> {
    for label in name.split('.').filter(|label| !label.is_empty()) {
        let length = u8::try_from(label.len()).ok();
        let length = length.filter(|length| usize::from(*length) <= LABEL_BYTES_MAX)?;
        to.push(length);
        to.extend(label.as_bytes());
    }
    to.push(0);
    Some(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A query as a stub resolver sends it.
    pub fn ask(name: &str, kind: u16) -> Vec<u8> {
        let mut packet = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        put_name(&mut packet, name).expect("it is a name");
        packet.extend(kind.to_be_bytes());
        packet.extend(IN.to_be_bytes());
        packet
    }

    fn with_size(mut packet: Vec<u8>, bytes: u16) -> Vec<u8> {
        packet[11] = 1;
        packet.push(0);
        packet.extend(OPT.to_be_bytes());
        packet.extend(bytes.to_be_bytes());
        packet.extend([0; 6]);
        packet
    }

    #[test]
    fn a_query_is_read() {
        let packet = ask("Web.Svc.Local", AAAA);
        let read = query(&packet).expect("it is read");
        assert_eq!((read.name.as_str(), read.kind), ("web.svc.local", AAAA));
        assert_eq!((read.class, read.udp_bytes), (IN, 512));
        let sized = |bytes| {
            query(&with_size(packet.clone(), bytes))
                .expect("read")
                .udp_bytes
        };
        assert_eq!((sized(100), sized(1000), sized(4096)), (512, 1000, 1232));
    }

    #[test]
    fn what_is_no_query_is_refused_or_left_alone() {
        let changed = |at: usize, byte: u8| {
            let mut packet = ask("a.b", A);
            packet[at] = byte;
            query(&packet)
        };
        assert_eq!(query(&[0; 11]), Err(None));
        assert_eq!(changed(2, 0x80), Err(None), "an answer");
        assert_eq!(changed(2, 0x28), Err(Some(Code::Unknown)), "an update");
        assert_eq!(changed(5, 2), Err(Some(Code::BadFormat)), "two questions");
        assert_eq!(changed(12, 0xc0), Err(Some(Code::BadFormat)), "a reference");
        assert_eq!(changed(13, b'.'), Err(Some(Code::BadFormat)), "a dot");
        let packet = ask("a.b", A);
        assert_eq!(
            query(&packet[..packet.len() - 1]),
            Err(Some(Code::BadFormat))
        );
    }

    #[test]
    fn an_answer_has_the_question_and_its_records() {
        let packet = ask("a.b", A);
        let read = query(&packet).expect("it is read");
        let record = Record {
            name: "a.b".into(),
            ttl: 60,
            data: Data::A(Ipv4Addr::new(10, 0, 0, 1)),
        };
        let whole = answer(
            &packet,
            &read,
            Code::Fine,
            std::slice::from_ref(&record),
            512,
        );
        let mut expected = vec![0xab, 0xcd, 0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
        expected.extend(&packet[12..]);
        expected.extend([
            1, b'a', 1, b'b', 0, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, 1,
        ]);
        assert_eq!(whole, expected);
        assert!(is_answer_to(&whole, &packet, &read));
        assert!(!is_answer_to(&whole, &ask("a.c", A), &read));
        assert!(!is_answer_to(&packet, &packet, &read));
        let many = vec![record; 40];
        let short = answer(&packet, &read, Code::Fine, &many, 512);
        assert_eq!((short[2] & 2, short[7], short.len()), (2, 0, packet.len()));
        assert_eq!(answer(&packet, &read, Code::Fine, &many, 65535)[7], 40);
        assert_eq!(refusal(&packet, Code::BadFormat)[3], 0x81);
        assert_eq!(failure(&packet, &read)[3], 0x82);
    }

    proptest! {
        #[test]
        fn no_packet_brings_it_down(packet in proptest::collection::vec(any::<u8>(), 0..80)) {
            match query(&packet) {
                Ok(read) => {
                    prop_assert!(read.end <= packet.len());
                    prop_assert!(is_answer_to(&failure(&packet, &read), &packet, &read));
                }
                Err(Some(code)) => prop_assert_eq!(refusal(&packet, code).len(), HEADER_BYTES),
                Err(None) => {}
            }
        }

        #[test]
        fn a_query_with_anything_after_it_is_read_or_refused(tail in proptest::collection::vec(any::<u8>(), 0..40), count in 0_u8..3) {
            let mut packet = ask("ip-10-0-0-1.ec2.internal", A);
            packet[11] = count;
            packet.extend(tail);
            if let Ok(read) = query(&packet) {
                prop_assert!((512..=1232).contains(&read.udp_bytes));
            }
        }
    }
}
