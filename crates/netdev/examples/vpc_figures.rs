//! Prints the figures of the VPC's data plane. Needs root and `nft`.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

fn main() {
    let directory = tempfile::tempdir().unwrap();
    for members in [10, 1_000, 10_000] {
        let figures = netdev::vpc::bench::figures(directory.path(), members).unwrap();
        println!("{figures:#?}");
    }
    let attaching = netdev::vpc::bench::attaching(directory.path(), 100).unwrap();
    println!("{attaching:#?}");
}
