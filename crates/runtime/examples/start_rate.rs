//! Measures starts of containers: `cargo run --release --example start_rate -p runtime [COUNT] [AT ONCE]`. Needs root.

#![allow(clippy::unwrap_used)]

#[allow(dead_code)]
#[path = "../tests/support/mod.rs"]
mod support;

use runtime::host::ContainerRuntime;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::House;

#[tokio::main]
async fn main() {
    let number = |n: usize, default| {
        std::env::args()
            .nth(n)
            .and_then(|a| a.parse().ok())
            .unwrap_or(default)
    };
    let (count, at_once): (usize, usize) = (number(1, 200), number(2, 50));
    let house = Arc::new(House::new().await);
    for _ in 0..20 {
        house.run(house.spec(&["true"])).await;
    }
    let mut times = Vec::new();
    for _ in 0..count {
        let spec = house.spec(&["sleep", "1000"]);
        let dir = spec.dir.clone();
        let begin = Instant::now();
        let started = house.runtime.start(spec).await.expect("a container starts");
        times.push(begin.elapsed());
        drop(started);
        house
            .runtime
            .remove(&dir)
            .await
            .expect("a container is removed");
    }
    report("sequential", &mut times);

    let mut together = tokio::task::JoinSet::new();
    let specs: Vec<_> = (0..at_once)
        .map(|_| house.spec(&["sleep", "1000"]))
        .collect();
    let dirs: Vec<_> = specs.iter().map(|spec| spec.dir.clone()).collect();
    let begin = Instant::now();
    for spec in specs {
        let house = Arc::clone(&house);
        together.spawn(async move {
            let begin = Instant::now();
            house
                .runtime
                .start(spec)
                .await
                .map(|started| (begin.elapsed(), started))
        });
    }
    let results = together.join_all().await;
    let all = begin.elapsed();
    let mut times: Vec<Duration> = results
        .iter()
        .map(|r| r.as_ref().expect("a container starts").0)
        .collect();
    report("concurrent", &mut times);
    println!(
        "{at_once} at once: {:.1} ms, {:.0}/s",
        ms(all),
        at_once as f64 / all.as_secs_f64()
    );
    for dir in dirs {
        house
            .runtime
            .remove(&dir)
            .await
            .expect("a container is removed");
    }
    Arc::into_inner(house)
        .expect("all starts have ended")
        .close()
        .await;
}

fn report(name: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |share: usize| ms(times[(times.len() - 1) * share / 100]);
    println!(
        "{name}: {} starts, p50 {:.2} ms, p99 {:.2} ms, min {:.2} ms",
        times.len(),
        at(50),
        at(99),
        at(0)
    );
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
