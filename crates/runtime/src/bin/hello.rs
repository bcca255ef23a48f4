//! The built-in `longshore/hello` web server: shows what a container sees, and misbehaves on request.
//!
//! `/` host name, task and request headers · `/healthz` · `/exit?code=N` · `/burn?cpu=N&seconds=N` ·
//! `/alloc?mib=N` · `/log?lines=N&bytes=N&per_second=N`. HTTP/1.1, one thread per connection, one log line per request on standard output.
//! Needs nothing but the kernel, so that it runs in an otherwise empty image.

#![allow(unsafe_code)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Connections at once; further ones are closed unanswered.
const CONNECTIONS_MAX: usize = 256;
/// Of a request's head; a longer one is answered with 431.
const HEAD_BYTES_MAX: u64 = 32 * 1024;
/// A connection on which nothing comes for so long is closed.
const IDLE_MAX: Duration = Duration::from_secs(75);
const BURN_THREADS_MAX: u64 = 64;
const BURN_SECONDS_MAX: u64 = 3600;
const LOG_LINE_BYTES_MAX: u64 = 200_000;

static CONNECTIONS: AtomicUsize = AtomicUsize::new(0);
/// What `/alloc` took: kept for the life of the process.
static HELD: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

fn main() {
    exit_on_sigterm();
    let port = port(std::env::args().skip(1));
    let listener = match listen(port) {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("hello: listening on port {port}: {error}");
            std::process::exit(1);
        }
    };
    log(&format!("hello: listening on port {port}"));
    for stream in listener.incoming() {
        let Ok(stream) = stream else {
            // Out of descriptors, as a rule: let connections end.
            thread::sleep(Duration::from_millis(50));
            continue;
        };
        if CONNECTIONS.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS_MAX {
            CONNECTIONS.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let serving = thread::Builder::new()
            .stack_size(128 * 1024)
            .spawn(move || {
                // A client that goes away in the middle is no news.
                let _ = serve(&stream);
                CONNECTIONS.fetch_sub(1, Ordering::Relaxed);
            });
        if serving.is_err() {
            CONNECTIONS.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// `--port N` or `--port=N`, else `$PORT`, else 80.
fn port(mut arguments: impl Iterator<Item = String>) -> u16 {
    let mut asked = std::env::var("PORT").ok();
    while let Some(argument) = arguments.next() {
        match argument.strip_prefix("--port") {
            Some("") => asked = arguments.next(),
            Some(value) => asked = Some(value.trim_start_matches('=').to_owned()),
            None => {}
        }
    }
    match asked.map(|text| text.parse()) {
        Some(Ok(port)) => port,
        Some(Err(_)) => {
            eprintln!("hello: a port is a number from 1 to 65535");
            std::process::exit(2);
        }
        None => 80,
    }
}

fn listen(port: u16) -> std::io::Result<TcpListener> {
    let both = [
        SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
        SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
    ];
    TcpListener::bind(&both[..])
}

struct Request {
    method: String,
    path: String,
    query: String,
    /// Lines as they came, without the first.
    headers: Vec<String>,
    keep_alive: bool,
}

fn serve(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(IDLE_MAX))?;
    stream.set_write_timeout(Some(IDLE_MAX))?;
    stream.set_nodelay(true)?;
    let peer = stream.peer_addr()?;
    let mut reader = BufReader::new(stream);
    loop {
        let request = match read_request(&mut reader)? {
            Some(Ok(request)) => request,
            Some(Err(status)) => return respond(stream, status, "", false, false),
            None => return Ok(()),
        };
        let (status, body) = answer(&request);
        let target = match request.query.as_str() {
            "" => request.path.clone(),
            query => format!("{}?{query}", request.path),
        };
        log(&format!(
            "{peer} {} {target} {}",
            request.method,
            &status[..3]
        ));
        respond(
            stream,
            status,
            &body,
            request.method == "HEAD",
            request.keep_alive,
        )?;
        if let ("/exit", Some(code)) = (request.path.as_str(), parameter(&request.query, "code", 0))
        {
            std::process::exit(code as i32 & 0xff);
        }
        if !request.keep_alive {
            return Ok(());
        }
    }
}

/// The next request; `None` at the end of the connection, `Err` is the status of a refusal.
fn read_request(
    reader: &mut BufReader<&TcpStream>,
) -> std::io::Result<Option<Result<Request, &'static str>>> {
    let mut head = reader.take(HEAD_BYTES_MAX);
    let mut lines = Vec::new();
    loop {
        let mut line = Vec::new();
        head.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            let too_long = head.limit() == 0;
            return Ok(too_long.then_some(Err("431 Request Header Fields Too Large")));
        }
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        match (line.is_empty(), lines.is_empty()) {
            (true, true) => {}
            (true, false) => break,
            (false, _) => lines.push(line),
        }
    }
    let first = lines.remove(0);
    let mut words = first.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Ok(Some(Err("400 Bad Request")));
    };
    let header = |name: &str| {
        let line = lines.iter().find_map(|line| {
            line.split_once(':')
                .filter(|(key, _)| key.eq_ignore_ascii_case(name))
        });
        line.map(|(_, value)| value.trim().to_ascii_lowercase())
    };
    let has_body = header("transfer-encoding").is_some()
        || header("content-length").is_some_and(|length| length != "0");
    // A body is not read, so nothing can follow it on this connection.
    let keep_alive =
        version == "HTTP/1.1" && header("connection").as_deref() != Some("close") && !has_body;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (method, path, query) = (method.to_owned(), path.to_owned(), query.to_owned());
    Ok(Some(Ok(Request {
        method,
        path,
        query,
        headers: lines,
        keep_alive,
    })))
}

fn answer(request: &Request) -> (&'static str, String) {
    const OK: &str = "200 OK";
    let number = |name, default| parameter(&request.query, name, default);
    match request.path.as_str() {
        "/" => (OK, welcome(request)),
        "/healthz" => (OK, "ok\n".to_owned()),
        "/exit" => match number("code", 0) {
            Some(code) => (OK, format!("exiting with code {}\n", code & 0xff)),
            None => bad_number(),
        },
        "/burn" => match (number("cpu", 1), number("seconds", 10)) {
            (Some(cpu), Some(seconds)) => (OK, burn(cpu, seconds)),
            _ => bad_number(),
        },
        "/alloc" => match number("mib", 64) {
            Some(mib) => alloc(mib),
            None => bad_number(),
        },
        "/log" => match (
            number("lines", 1),
            number("bytes", 100),
            number("per_second", 0),
        ) {
            (Some(lines), Some(bytes), Some(per_second)) => {
                (OK, write_lines(lines, bytes, per_second))
            }
            _ => bad_number(),
        },
        _ => ("404 Not Found", "not found\n".to_owned()),
    }
}

fn bad_number() -> (&'static str, String) {
    (
        "400 Bad Request",
        "a parameter is not a number\n".to_owned(),
    )
}

fn welcome(request: &Request) -> String {
    let mut text = format!("Hello from Longshore!\n\nhost: {}\n", host_name());
    for (label, name) in [
        ("task", "LONGSHORE_TASK"),
        ("container", "LONGSHORE_CONTAINER"),
        ("metadata", "ECS_CONTAINER_METADATA_URI_V4"),
        ("region", "AWS_REGION"),
    ] {
        if let Ok(value) = std::env::var(name) {
            text += &format!("{label}: {value}\n");
        }
    }
    text += "\nYour request's headers:\n";
    for line in &request.headers {
        text += &format!("  {line}\n");
    }
    text
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
    let name = name.map(|name| name.trim().to_owned()).ok();
    name.or_else(|| std::env::var("HOSTNAME").ok())
        .unwrap_or_else(|| "unknown".to_owned())
}

/// Keeps processors busy, in the background.
fn burn(cpu: u64, seconds: u64) -> String {
    let (cpu, seconds) = (cpu.min(BURN_THREADS_MAX), seconds.min(BURN_SECONDS_MAX));
    let until = Instant::now() + Duration::from_secs(seconds);
    for _ in 0..cpu {
        thread::spawn(move || {
            let mut number = 1u64;
            while Instant::now() < until {
                for _ in 0..100_000 {
                    number =
                        std::hint::black_box(number.wrapping_mul(6_364_136_223_846_793_005) + 1);
                }
            }
        });
    }
    format!("burning {cpu} cpu for {seconds} seconds\n")
}

/// Takes memory and touches every page, so that it counts.
fn alloc(mib: u64) -> (&'static str, String) {
    let mut held = HELD
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    for _ in 0..mib {
        let mut piece = Vec::new();
        if piece.try_reserve_exact(1 << 20).is_err() {
            return (
                "507 Insufficient Storage",
                "out of address space\n".to_owned(),
            );
        }
        piece.resize(1 << 20, 1u8);
        held.push(piece);
    }
    ("200 OK", format!("holding {} MiB\n", held.len()))
}

/// Writes numbered lines of so many bytes, their end included; `per_second` 0 is as fast as they are
/// taken. Answers when all are written.
fn write_lines(lines: u64, bytes: u64, per_second: u64) -> String {
    let width = bytes.clamp(2, LOG_LINE_BYTES_MAX) as usize - 1;
    let began = Instant::now();
    let mut out = std::io::BufWriter::with_capacity(64 * 1024, std::io::stdout().lock());
    for number in 0..lines {
        // Nobody reads any more: the rest is for nobody.
        if writeln!(out, "{number:0>width$}").is_err() {
            break;
        }
        if per_second > 0 && (number + 1) % (per_second / 100).max(1) == 0 {
            let _ = out.flush();
            let due = Duration::from_secs_f64((number + 1) as f64 / per_second as f64);
            thread::sleep(due.saturating_sub(began.elapsed()));
        }
    }
    let _ = out.flush();
    format!("wrote {lines} lines\n")
}

/// A number from the query; `None` if it is there and is none.
fn parameter(query: &str, name: &str, default: u64) -> Option<u64> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .into_iter()
        .find(|(key, _)| *key == name)
        .map_or(Some(default), |(_, value)| value.parse().ok())
}

fn respond(
    mut stream: &TcpStream,
    status: &str,
    body: &str,
    head_only: bool,
    keep_alive: bool,
) -> std::io::Result<()> {
    let connection = if keep_alive { "keep-alive" } else { "close" };
    let length = body.len();
    let body = if head_only { "" } else { body };
    let answer = format!(
        "HTTP/1.1 {status}\r\nserver: longshore-hello\r\ncontent-type: text/plain; charset=utf-8\r\n\
         content-length: {length}\r\nconnection: {connection}\r\n\r\n{body}"
    );
    stream.write_all(answer.as_bytes())
}

fn log(line: &str) {
    // Nobody reads standard output any more: serving goes on.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// As process 1 of a container the default action would not apply: the kernel drops the signal.
fn exit_on_sigterm() {
    extern "C" fn exit(_signal: libc::c_int) {
        // SAFETY: `_exit` is async-signal-safe and does not return.
        unsafe { libc::_exit(0) }
    }
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: `exit` is a function of the type that `signal` wants and does only what a handler may.
        unsafe { libc::signal(signal, exit as *const () as libc::sighandler_t) };
    }
}
