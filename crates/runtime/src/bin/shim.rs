//! The static executable behind zygote, shims and the init of containers. See `runtime::zygote`, `runtime::reaper`.

fn main() {
    let mut arguments = std::env::args();
    if arguments.next().as_deref() == Some(runtime::reaper::NAME) {
        runtime::reaper::run(arguments);
    }
    if let Err(error) = runtime::zygote::run() {
        eprintln!("longshore-shim: {error}");
        std::process::exit(1);
    }
}
