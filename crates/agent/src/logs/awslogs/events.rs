//! Bytes to events: cut at line ends, joined where a pattern says that an event goes on.
//!
//! Pure. Each event knows how many bytes of its source it ends at, so that a batch of whole events
//! can be acknowledged by a byte offset. Cutting the same bytes again from an event's end gives the
//! same events, whatever chunks they come in.

use regex::Regex;

/// An event's message is at most so long; a longer line becomes several events. CloudWatch Logs
/// takes 256 KiB with 26 bytes of overhead from every SDK.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024 - 26;

/// An event cut from a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutEvent {
    /// Its text; bytes that are no UTF-8 are replaced.
    pub message: String,
    /// Offset in the source just after its last byte.
    pub end: u64,
}

/// Cuts one source.
#[derive(Debug)]
pub struct Cutter {
    event_start: Option<Regex>,
    /// Offset of the first byte in `line`.
    at: u64,
    line: Vec<u8>,
    /// A joined event whose end is not known yet, and where its last line ended.
    open: Option<(Vec<u8>, u64)>,
}

impl Cutter {
    /// A cutter whose next byte is at this offset.
    pub fn new(event_start: Option<Regex>, offset: u64) -> Self {
        Self {
            event_start,
            at: offset,
            line: Vec::new(),
            open: None,
        }
    }

    /// Takes bytes; gives the events that they complete.
    pub fn push(&mut self, mut bytes: &[u8]) -> Vec<CutEvent> {
        let mut events = Vec::new();
        while !bytes.is_empty() {
            let room = MESSAGE_BYTES_MAX - self.line.len();
            let window = &bytes[..bytes.len().min(room + 1)];
            if let Some(newline) = window.iter().position(|byte| *byte == b'\n') {
                self.line.extend_from_slice(&bytes[..newline]);
                bytes = &bytes[newline + 1..];
                self.end_line(1, &mut events);
            } else if bytes.len() > room {
                let cut = character_boundary(&self.line, &bytes[..room]);
                self.line.extend_from_slice(&bytes[..cut]);
                bytes = &bytes[cut..];
                self.end_line(0, &mut events);
            } else {
                self.line.extend_from_slice(bytes);
                bytes = &[];
            }
        }
        events
    }

    /// Whether a joined event waits for a line that begins the next one.
    pub fn has_open_event(&self) -> bool {
        self.open.is_some()
    }

    /// Gives the joined event that waits, as if the next one had begun.
    pub fn close_event(&mut self) -> Option<CutEvent> {
        self.open.take().map(|(message, end)| event(message, end))
    }

    /// The source has ended: what is left is an event too.
    pub fn finish(&mut self) -> Vec<CutEvent> {
        let mut events = Vec::new();
        if !self.line.is_empty() {
            self.end_line(0, &mut events);
        }
        events.extend(self.close_event());
        events
    }

    /// The line is complete; `terminator` bytes follow it.
    fn end_line(&mut self, terminator: u64, events: &mut Vec<CutEvent>) {
        let mut line = std::mem::take(&mut self.line);
        self.at += line.len() as u64 + terminator;
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        let Some(start) = &self.event_start else {
            // CloudWatch Logs has no empty events; the bytes go with the next acknowledgement.
            if !line.is_empty() {
                events.push(event(line, self.at));
            }
            return;
        };
        let begins = start.is_match(&String::from_utf8_lossy(&line));
        match &mut self.open {
            Some((message, end))
                if !begins && message.len() + 1 + line.len() <= MESSAGE_BYTES_MAX =>
            {
                message.push(b'\n');
                message.append(&mut line);
                *end = self.at;
            }
            _ => {
                events.extend(self.close_event());
                self.open = Some((line, self.at));
            }
        }
    }
}

fn event(message: Vec<u8>, end: u64) -> CutEvent {
    let message = String::from_utf8(message)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    CutEvent { message, end }
}

/// How many of `bytes` to take so that no character is cut in two.
fn character_boundary(line: &[u8], bytes: &[u8]) -> usize {
    let is_inside = |byte: &u8| byte & 0b1100_0000 == 0b1000_0000;
    // The byte that would come next is unknown, so the last character is left for the next line.
    let tail = bytes
        .iter()
        .rev()
        .take(3)
        .take_while(|byte| is_inside(byte))
        .count();
    let cut = bytes.len().saturating_sub(tail + 1);
    if cut == 0 && line.is_empty() {
        bytes.len()
    } else {
        cut.max(usize::from(line.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn messages(events: &[CutEvent]) -> Vec<&str> {
        events.iter().map(|event| event.message.as_str()).collect()
    }

    #[test]
    fn lines_end_at_newlines_and_empty_ones_are_left_out() {
        let mut cutter = Cutter::new(None, 100);
        let events = cutter.push(b"one\r\n\ntwo\nrest");
        assert_eq!(messages(&events), ["one", "two"]);
        assert_eq!(
            events.iter().map(|event| event.end).collect::<Vec<_>>(),
            [105, 110]
        );
        assert_eq!(messages(&cutter.finish()), ["rest"]);
    }

    #[test]
    fn lines_that_go_on_are_joined() {
        let mut cutter = Cutter::new(Some(Regex::new("^[0-9]").unwrap()), 0);
        let events = cutter.push(b"1 a\n  b\n\n2 c\n");
        assert_eq!(messages(&events), ["1 a\n  b\n"]);
        assert_eq!(events[0].end, 9);
        assert!(cutter.has_open_event());
        assert_eq!(cutter.close_event().unwrap().message, "2 c");
    }

    #[test]
    fn a_line_too_long_becomes_several_events() {
        let mut cutter = Cutter::new(None, 0);
        let text = "é".repeat(MESSAGE_BYTES_MAX);
        let mut events = cutter.push(text.as_bytes());
        events.extend(cutter.finish());
        assert!(
            events
                .iter()
                .all(|event| event.message.len() <= MESSAGE_BYTES_MAX)
        );
        assert_eq!(messages(&events).concat(), text);
        assert_eq!(events.last().unwrap().end, text.len() as u64);
    }

    proptest! {
        #[test]
        fn chunks_do_not_matter_and_cutting_goes_on_after_any_event(
            text in "[ab\n1\r]{0,80}", cuts in prop::collection::vec(0usize..80, 0..6), joined: bool, resume in 0usize..8,
        ) {
            let start = || joined.then(|| Regex::new("^1").unwrap());
            let whole = |from: u64| {
                let mut cutter = Cutter::new(start(), from);
                let mut events = cutter.push(&text.as_bytes()[from as usize..]);
                events.extend(cutter.finish());
                events
            };
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let mut cutter = Cutter::new(start(), 0);
            let mut events = Vec::new();
            for pair in cuts.windows(2) {
                events.extend(cutter.push(&text.as_bytes()[pair[0]..pair[1]]));
            }
            events.extend(cutter.finish());
            prop_assert_eq!(&events, &whole(0));
            if !joined && let Some(event) = events.get(resume) {
                prop_assert_eq!(&events[resume + 1..], &whole(event.end)[..]);
            }
        }
    }
}
