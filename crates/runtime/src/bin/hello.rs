//! The built-in `longshore/hello`: a small static web server for first tasks, demos and tests.
//!
//! `/` says who answers and what was asked; `/healthz`; `/exit?code=N` ends the process;
//! `/burn?cpu=N&seconds=S` keeps N processors busy; `/alloc?mib=N` holds memory. One line a request
//! goes to standard output. SIGTERM ends it with 0.

#![allow(unsafe_code)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::time::{Duration, Instant};

const HEADER_LINES_MAX: usize = 100;
const LINE_BYTES_MAX: u64 = 8192;
/// Memory that `/alloc` holds on to.
static HELD: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

extern "C" fn end(_: libc::c_int) {
    // SAFETY: `_exit` is async-signal-safe.
    unsafe { libc::_exit(0) }
}

fn main() {
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: `end` only calls `_exit`, which a handler may.
        unsafe { libc::signal(signal, end as *const () as libc::sighandler_t) };
    }
    let port: u16 = std::env::var("PORT")
        .ok()
        .and_then(|port| port.parse().ok())
        .unwrap_or(80);
    let listener = match TcpListener::bind(("0.0.0.0", port)) {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("cannot listen on port {port}: {error}");
            std::process::exit(1);
        }
    };
    println!("listening on port {port}");
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || {
            let _ = serve(&stream);
        });
    }
}

fn serve(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut request = String::new();
        if (&mut reader).take(LINE_BYTES_MAX).read_line(&mut request)? == 0 {
            return Ok(());
        }
        let mut headers = String::new();
        let mut close = false;
        for _ in 0..HEADER_LINES_MAX {
            let mut line = String::new();
            (&mut reader).take(LINE_BYTES_MAX).read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
            close |= line.to_ascii_lowercase().starts_with("connection: close");
            headers.push_str(&line);
        }
        let target = request.split_whitespace().nth(1).unwrap_or("/").to_owned();
        let (status, body) = answer(&target, &headers);
        println!("{} {status}", request.trim());
        let mut out = stream;
        write!(
            out,
            "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )?;
        out.flush()?;
        if let Some(code) = target
            .strip_prefix("/exit")
            .map(|_| number(&target, "code").unwrap_or(0))
        {
            std::process::exit(code as i32);
        }
        if close {
            return Ok(());
        }
    }
}

fn answer(target: &str, headers: &str) -> (&'static str, String) {
    match target.split('?').next().unwrap_or(target) {
        "/" => ("200 OK", page(headers)),
        "/healthz" => ("200 OK", "ok\n".into()),
        "/exit" => ("200 OK", "bye\n".into()),
        "/burn" => {
            let seconds = number(target, "seconds").unwrap_or(1);
            for _ in 0..number(target, "cpu").unwrap_or(1) {
                std::thread::spawn(move || {
                    let started = Instant::now();
                    while started.elapsed() < Duration::from_secs(seconds) {
                        std::hint::spin_loop();
                    }
                });
            }
            ("200 OK", format!("busy for {seconds} s\n"))
        }
        "/alloc" => {
            let mib = number(target, "mib").unwrap_or(1);
            let mut held = HELD
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            held.push(vec![1; usize::try_from(mib).unwrap_or(0) << 20]);
            ("200 OK", format!("holding {mib} MiB more\n"))
        }
        _ => ("404 Not Found", "no such page\n".into()),
    }
}

fn page(headers: &str) -> String {
    let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| "-".into());
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    format!(
        "Hello from Longshore.\nhost name: {}\ntask metadata: {}\n\n{headers}",
        host.trim(),
        variable("ECS_CONTAINER_METADATA_URI_V4"),
    )
}

fn number(target: &str, name: &str) -> Option<u64> {
    let query = target.split_once('?')?.1;
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}
