//! The static executable behind zygote and shims. See `runtime::zygote`.

fn main() {
    if let Err(error) = runtime::zygote::run() {
        eprintln!("longshore-shim: {error}");
        std::process::exit(1);
    }
}
