//! How long an attach with one mapped port takes, alone and a hundred at once, and a detach.
//! Runs in network and mount namespaces of its own. `cargo run --release --example attach_rate -p netdev`

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use netdev::{HostNetwork, LinuxNetwork, NetworkConfig, NetworkError, PortRequest, Protocol};
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::thread::{UnshareFlags, unshare_unsafe};

const SEQUENTIAL: usize = 200;
const CONCURRENT: usize = 400;
const AT_ONCE: usize = 100;
const PORT: PortRequest = PortRequest {
    container_port: 80,
    host_port: 0,
    protocol: Protocol::Tcp,
    count: 1,
};

#[allow(unsafe_code)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    // SAFETY: the only thread so far; file descriptor tables stay shared.
    unsafe { unshare_unsafe(UnshareFlags::NEWNET | UnshareFlags::NEWNS) }?;
    mount_change(
        "/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )?;
    let run_dir = tempfile::tempdir()?;
    let net = Arc::new(LinuxNetwork::new(NetworkConfig::new(
        "be4c0000",
        run_dir.path(),
    ))?);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let measured = runtime.block_on(measure(&net));
    runtime.block_on(net.destroy())?;
    Ok(measured?)
}

async fn measure(net: &Arc<LinuxNetwork>) -> Result<(), NetworkError> {
    let begun = Instant::now();
    net.prepare().await?;
    println!("prepare          {:>8.2} ms", ms(begun.elapsed()));
    let (mut attach, mut detach) = (Vec::new(), Vec::new());
    for n in 0..SEQUENTIAL {
        let begun = Instant::now();
        net.attach_bridge(&format!("s{n}"), &[PORT]).await?;
        attach.push(begun.elapsed());
    }
    for n in 0..SEQUENTIAL {
        let begun = Instant::now();
        net.detach(&format!("s{n}")).await?;
        detach.push(begun.elapsed());
    }
    print_line("attach", &mut attach);
    print_line("detach", &mut detach);
    let begun = Instant::now();
    at_once(net, "attach", |net, id| async move {
        net.attach_bridge(&id, &[PORT]).await.map(drop)
    })
    .await?;
    let attached = begun.elapsed();
    let begun = Instant::now();
    at_once(
        net,
        "detach",
        |net, id| async move { net.detach(&id).await },
    )
    .await?;
    let per_second = |took: Duration| CONCURRENT as f64 / took.as_secs_f64();
    println!(
        "{AT_ONCE} at once       attach {:.0}/s, detach {:.0}/s",
        per_second(attached),
        per_second(begun.elapsed())
    );
    Ok(())
}

async fn at_once<F>(
    net: &Arc<LinuxNetwork>,
    what: &'static str,
    call: impl Fn(Arc<LinuxNetwork>, String) -> F,
) -> Result<(), NetworkError>
where
    F: Future<Output = Result<(), NetworkError>> + Send + 'static,
{
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..CONCURRENT {
        if calls.len() == AT_ONCE
            && let Some(done) = calls.join_next().await
        {
            done.map_err(|_| NetworkError::Thread(what))??;
        }
        calls.spawn(call(Arc::clone(net), format!("c{n}")));
    }
    while let Some(done) = calls.join_next().await {
        done.map_err(|_| NetworkError::Thread(what))??;
    }
    Ok(())
}

fn print_line(what: &str, times: &mut [Duration]) {
    times.sort();
    let at = |percent: usize| ms(times[times.len() * percent / 100]);
    println!(
        "{what} one by one  p50 {:.2} ms, p99 {:.2} ms",
        at(50),
        at(99)
    );
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
