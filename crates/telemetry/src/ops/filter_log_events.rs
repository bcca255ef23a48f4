//! FilterLogEvents: events of several streams of a group, merged in order of time.
//!
//! A page reads at most a bounded number of events, so that a rare pattern over many events answers
//! with an empty page and a token, as on AWS.

use crate::filter::Pattern;
use crate::page::{event_id, name_token, parse_name_token};
use crate::records::{GroupKey, LOG_STREAMS, LogStreamRecord};
use crate::rules::{ask_group, group, group_name, invalid, stream, unavailable};
use aws_api::logs::{FilterLogEventsRequest, FilterLogEventsResponse, FilteredLogEvent};
use aws_types::{AwsError, Ctx, Timestamp};
use iam::Ask;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use store::{LogRange, LogStore, Position, StoredEntry, TableKey, World};

/// API reference, FilterLogEvents: "up to 10,000 log events" and 1 MB a page.
const EVENTS_MAX: usize = 10_000;
const BYTES_MAX: usize = 1_048_576;
/// Events that one page looks at, matching or not.
const SCANNED_MAX: usize = 200_000;
/// Events read from a stream at a time.
const CHUNK: usize = 1_000;

/// Asks for the group.
pub fn authorisation(input: &FilterLogEventsRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    let name = group_name(
        input.log_group_name.as_deref(),
        input.log_group_identifier.as_deref(),
    );
    ask_group(ctx, "FilterLogEvents", &name.unwrap_or_default())
}

/// Searches one page.
pub fn filter_log_events(
    world: &World,
    ctx: &mut Ctx,
    log_store: &dyn LogStore,
    input: &FilterLogEventsRequest,
) -> Result<FilterLogEventsResponse, AwsError> {
    let name = group_name(
        input.log_group_name.as_deref(),
        input.log_group_identifier.as_deref(),
    )?;
    group(world, &ctx.scope, &name)?;
    let pattern = Pattern::parse(input.filter_pattern.as_deref().unwrap_or_default())
        .map_err(|why| invalid("Invalid filter pattern").detail(why))?;
    let streams = streams(world, ctx, input, &name)?;
    let from = Position::before(Timestamp::from_millis(input.start_time.unwrap_or(0)));
    // `endTime` itself is included; a stored sequence is never zero.
    let until =
        Timestamp::from_millis(input.end_time.map_or(i64::MAX, |end| end.saturating_add(1)));
    let resume = parse_name_token(input.next_token.as_deref())?
        .map(|text| Cursor::parse(&text))
        .transpose()?;
    let mut merge = Merge::new(log_store, streams, from, Position::before(until), resume)?;
    let limit = input
        .limit
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(EVENTS_MAX);
    let (mut events, mut bytes, mut scanned) = (Vec::new(), 0, 0);
    while events.len() < limit && bytes < BYTES_MAX && scanned < SCANNED_MAX {
        let Some((stream, entry)) = merge.next()? else {
            break;
        };
        scanned += 1;
        if pattern.matches(&entry.message) {
            bytes += entry.message.len();
            events.push(shape(&stream, entry));
        }
    }
    let next_token = merge.cursor().map(|cursor| name_token(&cursor.text()));
    Ok(FilterLogEventsResponse {
        events: Some(events),
        searched_log_streams: Some(Vec::new()),
        next_token,
    })
}

/// The streams asked for, in order of name.
fn streams(
    world: &World,
    ctx: &Ctx,
    input: &FilterLogEventsRequest,
    group: &str,
) -> Result<Vec<Arc<LogStreamRecord>>, AwsError> {
    let names = input.log_stream_names.as_deref().unwrap_or_default();
    let prefix = input.log_stream_name_prefix.as_deref().unwrap_or_default();
    if !names.is_empty() && !prefix.is_empty() {
        return Err(invalid(
            "logStreamNamePrefix and logStreamNames are mutually exclusive parameters.",
        ));
    }
    if !names.is_empty() {
        let mut found = names
            .iter()
            .map(|name| stream(world, &ctx.scope, group, name).cloned())
            .collect::<Result<Vec<_>, _>>()?;
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found.dedup_by(|a, b| a.name == b.name);
        return Ok(found);
    }
    let key = GroupKey {
        scope: &ctx.scope,
        name: group,
    }
    .encode();
    let all = world
        .scan_prefix(&LOG_STREAMS, &key, None)
        .map(|(_, stream)| stream);
    Ok(all
        .filter(|stream| stream.name.starts_with(prefix))
        .cloned()
        .collect())
}

fn shape(stream: &LogStreamRecord, entry: StoredEntry) -> FilteredLogEvent {
    FilteredLogEvent {
        log_stream_name: Some(stream.name.clone()),
        timestamp: Some(entry.position.timestamp.millis()),
        message: Some(entry.message),
        ingestion_time: Some(entry.ingested.millis()),
        event_id: Some(event_id(entry.position, stream.id)),
    }
}

/// The next event to look at, in the order (time, stream, sequence).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Cursor {
    timestamp: Timestamp,
    stream: String,
    sequence: u64,
}

impl Cursor {
    fn text(&self) -> String {
        format!(
            "{}/{}/{}",
            self.timestamp.millis(),
            self.sequence,
            self.stream
        )
    }

    fn parse(text: &str) -> Result<Self, AwsError> {
        let mut parts = text.splitn(3, '/');
        let mut number = || parts.next().and_then(|part| part.parse::<i64>().ok());
        let cursor = number().zip(number());
        cursor
            .zip(parts.next())
            .map(|((millis, sequence), stream)| Self {
                timestamp: Timestamp::from_millis(millis),
                stream: stream.to_owned(),
                sequence: sequence as u64,
            })
            .ok_or_else(|| invalid("The specified nextToken is invalid."))
    }
}

/// Merges streams in order, reading each in chunks.
struct Merge<'a> {
    log_store: &'a dyn LogStore,
    streams: Vec<Source>,
    until: Position,
    heads: BinaryHeap<Reverse<(Cursor, usize)>>,
}

struct Source {
    record: Arc<LogStreamRecord>,
    waiting: VecDeque<StoredEntry>,
    next: Position,
}

impl<'a> Merge<'a> {
    fn new(
        log_store: &'a dyn LogStore,
        streams: Vec<Arc<LogStreamRecord>>,
        from: Position,
        until: Position,
        resume: Option<Cursor>,
    ) -> Result<Self, AwsError> {
        let start = |record: &LogStreamRecord| match &resume {
            None => from,
            Some(cursor) => from.max(cursor.start_of(&record.name)),
        };
        let streams = streams
            .into_iter()
            .map(|record| Source {
                next: start(&record),
                record,
                waiting: VecDeque::new(),
            })
            .collect();
        let mut merge = Self {
            log_store,
            streams,
            until,
            heads: BinaryHeap::new(),
        };
        for at in 0..merge.streams.len() {
            merge.push_head(at)?;
        }
        Ok(merge)
    }

    fn push_head(&mut self, at: usize) -> Result<(), AwsError> {
        let source = &mut self.streams[at];
        if source.waiting.is_empty() {
            let range = LogRange {
                from: source.next,
                until: self.until,
                backward: false,
                entries_max: CHUNK,
                bytes_max: BYTES_MAX,
            };
            let read = self
                .log_store
                .read(source.record.log_stream_id(), range)
                .map_err(unavailable)?;
            source.waiting = read.into();
        }
        if let Some(entry) = source.waiting.front() {
            let Position {
                timestamp,
                sequence,
            } = entry.position;
            let cursor = Cursor {
                timestamp,
                stream: source.record.name.clone(),
                sequence,
            };
            self.heads.push(Reverse((cursor, at)));
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Option<(Arc<LogStreamRecord>, StoredEntry)>, AwsError> {
        let Some(Reverse((_, at))) = self.heads.pop() else {
            return Ok(None);
        };
        let source = &mut self.streams[at];
        let Some(entry) = source.waiting.pop_front() else {
            return Ok(None);
        };
        source.next = Position {
            sequence: entry.position.sequence + 1,
            ..entry.position
        };
        let record = source.record.clone();
        self.push_head(at)?;
        Ok(Some((record, entry)))
    }

    fn cursor(&self) -> Option<&Cursor> {
        self.heads.peek().map(|Reverse((cursor, _))| cursor)
    }
}

impl Cursor {
    /// The first position of a stream that is not before this cursor.
    fn start_of(&self, stream: &str) -> Position {
        let sequence = match stream.cmp(&self.stream) {
            std::cmp::Ordering::Less => u64::MAX,
            std::cmp::Ordering::Equal => self.sequence,
            std::cmp::Ordering::Greater => 0,
        };
        Position {
            timestamp: self.timestamp,
            sequence,
        }
    }
}
