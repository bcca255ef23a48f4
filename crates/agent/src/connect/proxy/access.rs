//! Who asked for what: a line for each request, of TCP for each connection, once it is over.
//!
//! Lines go to a pipe that the task's log driver reads ([`access_logs`](crate::connect::access_logs)). A request never
//! waits for it: what finds the pipe full is dropped. Rule: developer guide, "Amazon ECS Service Connect access logs";
//! Envoy's default format, of which AWS leaves the flags out of the text.

use crate::api::now;
use crate::task::connect::{AccessLog as Wanted, LogFormat};
use aws_types::Timestamp;
use hyper::header::{HOST, HeaderMap, USER_AGENT};
use hyper::{Request, Version};
use serde::Serialize;
use serde::ser::Serializer;
use std::net::SocketAddrV4;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// So much is written to a pipe in one piece, or not at all (PIPE_BUF).
const LINE_BYTES_MAX: usize = 4096;
/// Of a path, a host and what clients say of themselves, so that a line is one piece.
const TEXT_BYTES_MAX: usize = 700;

/// Of one namespace.
#[derive(Debug)]
pub struct AccessLog {
    format: LogFormat,
    with_query: bool,
    /// Its end that is written; what is read is another's.
    pipe: OwnedFd,
}

impl AccessLog {
    /// That writes there, and does not wait.
    ///
    /// # Errors
    /// It is no pipe.
    pub fn new(wanted: &Wanted, pipe: OwnedFd) -> std::io::Result<Arc<Self>> {
        rustix::io::ioctl_fionbio(&pipe, true)?;
        Ok(Arc::new(Self {
            format: wanted.format,
            with_query: wanted.include_query_parameters,
            pipe,
        }))
    }

    /// A request, with all that its head says.
    #[must_use]
    pub fn request<B>(&self, request: &Request<B>) -> Entry {
        let headers = request.headers();
        let uri = request.uri();
        let path = match self.with_query {
            true => uri.path_and_query().map_or("", |path| path.as_str()),
            false => uri.path(),
        };
        let host = uri.authority().map(|host| host.as_str().to_owned());
        Entry {
            method: Some(cut(request.method().as_str())),
            path: Some(cut(path)),
            protocol: Some(match request.version() {
                Version::HTTP_2 => "HTTP/2",
                Version::HTTP_10 => "HTTP/1.0",
                _ => "HTTP/1.1",
            }),
            x_forwarded_for: text(headers, "x-forwarded-for"),
            user_agent: text(headers, USER_AGENT.as_str()),
            request_id: text(headers, "x-request-id"),
            authority: host.or_else(|| text(headers, HOST.as_str())),
            ..Entry::new()
        }
    }

    /// Writes a line; one that finds no room is lost.
    pub fn write(&self, entry: &Entry) {
        let mut line = match self.format {
            LogFormat::Text => entry.text(),
            LogFormat::Json => serde_json::to_string(entry).unwrap_or_default(),
        };
        line.push('\n');
        if line.len() <= LINE_BYTES_MAX {
            let _ = rustix::io::write(&self.pipe, line.as_bytes());
        }
    }
}

/// A header's text.
fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?;
    Some(cut(&String::from_utf8_lossy(value.as_bytes())))
}

fn cut(text: &str) -> String {
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// What a line says, by Envoy's names. What there is not is a dash, of JSON `null`.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    #[serde(serialize_with = "iso8601")]
    start_time: Timestamp,
    method: Option<String>,
    path: Option<String>,
    protocol: Option<&'static str>,
    /// 0: there was no answer.
    pub response_code: u16,
    /// Why the proxy answered itself.
    pub response_flags: Option<&'static str>,
    /// Of the request's body; of TCP, of the client.
    pub bytes_received: u64,
    /// Of the answer's body; of TCP, to the client.
    pub bytes_sent: u64,
    /// In milliseconds.
    pub duration: u64,
    /// In milliseconds, until the head of the answer.
    pub upstream_service_time: Option<u64>,
    x_forwarded_for: Option<String>,
    user_agent: Option<String>,
    request_id: Option<String>,
    authority: Option<String>,
    /// Who took it.
    pub upstream_host: Option<SocketAddrV4>,
}

fn iso8601<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.iso8601())
}

impl Entry {
    /// Of what begins now: a connection.
    #[must_use]
    pub fn new() -> Self {
        Self {
            start_time: now(),
            method: None,
            path: None,
            protocol: None,
            response_code: 0,
            response_flags: None,
            bytes_received: 0,
            bytes_sent: 0,
            duration: 0,
            upstream_service_time: None,
            x_forwarded_for: None,
            user_agent: None,
            request_id: None,
            authority: None,
            upstream_host: None,
        }
    }

    /// Since it began, at this moment.
    pub fn ended(&mut self) {
        let passed = now().since(self.start_time).as_millis();
        self.duration = u64::try_from(passed).unwrap_or(u64::MAX);
    }

    fn text(&self) -> String {
        let dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
        let number = |number: Option<u64>| number.map_or("-".into(), |number| number.to_string());
        let upstream = self.upstream_host.map(|host| host.to_string());
        format!(
            "[{}] \"{} {} {}\" {} {} {} {} {} \"{}\" \"{}\" \"{}\" \"{}\" \"{}\"",
            self.start_time.iso8601(),
            dash(&self.method),
            dash(&self.path),
            self.protocol.unwrap_or("-"),
            self.response_code,
            self.bytes_received,
            self.bytes_sent,
            self.duration,
            number(self.upstream_service_time),
            dash(&self.x_forwarded_for),
            dash(&self.user_agent),
            dash(&self.request_id),
            dash(&self.authority),
            dash(&upstream),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use LogFormat;
    use std::fs::File;
    use std::io::Read;

    fn written(format: LogFormat, include_query_parameters: bool, times: usize) -> String {
        let (read, write) = std::io::pipe().unwrap();
        let wanted = Wanted {
            format,
            include_query_parameters,
            driver: String::new(),
            options: std::collections::BTreeMap::new(),
        };
        let log = AccessLog::new(&wanted, write.into()).unwrap();
        let request = Request::builder()
            .uri("/a?token=b")
            .header("host", "api:80")
            .header("user-agent", "curl \"8\"");
        let mut entry = log.request(&request.body(()).unwrap());
        entry.start_time = Timestamp::from_millis(1);
        entry.response_code = 200;
        entry.bytes_sent = 7;
        entry.upstream_service_time = Some(3);
        entry.upstream_host = Some("10.0.0.1:8080".parse().unwrap());
        (0..times).for_each(|_| log.write(&entry));
        drop(log);
        let mut all = String::new();
        File::from(OwnedFd::from(read))
            .read_to_string(&mut all)
            .unwrap();
        all
    }

    #[test]
    fn a_line_says_who_asked_and_who_answered() {
        let line = "[1970-01-01T00:00:00.001Z] \"GET /a HTTP/1.1\" 200 0 7 0 3 \"-\" \"curl \"8\"\" \"-\" \"api:80\" \
                    \"10.0.0.1:8080\"\n";
        assert_eq!(written(LogFormat::Text, false, 1), line);
        let with_query = line.replace("/a ", "/a?token=b ");
        assert_eq!(written(LogFormat::Text, true, 1), with_query);
        let line = written(LogFormat::Json, false, 1);
        let json: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (&json["path"], &json["user_agent"]),
            (&"/a".into(), &"curl \"8\"".into())
        );
        assert_eq!(json["upstream_host"], "10.0.0.1:8080");
        assert!(json["request_id"].is_null() && line.ends_with("}\n"));
    }

    #[test]
    fn a_full_pipe_takes_whole_lines_and_makes_nobody_wait() {
        let all = written(LogFormat::Text, false, 10_000);
        let lines: Vec<&str> = all.lines().collect();
        assert!(lines.len() < 10_000 && lines.len() > 100);
        assert!(
            lines.iter().all(|line| *line == lines[0]),
            "none is in pieces"
        );
    }

    #[test]
    fn a_connection_has_dashes_and_what_is_long_is_cut() {
        let line = Entry::new().text();
        assert!(
            line.ends_with("] \"- - -\" 0 0 0 0 - \"-\" \"-\" \"-\" \"-\" \"-\""),
            "{line}"
        );
        assert_eq!(cut(&"ü".repeat(1000)).len(), TEXT_BYTES_MAX);
    }
}
