//! Builds the static executables that the agent embeds: the shim and the hello server.

include!("../runtime/embed.rs");

fn main() {
    let runtime = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime");
    for part in ["src", "Cargo.toml", "embed.rs"] {
        println!("cargo::rerun-if-changed={}", runtime.join(part).display());
    }
    let Some(out) = std::env::var_os("OUT_DIR").map(std::path::PathBuf::from) else {
        panic!("cargo sets OUT_DIR for build scripts");
    };
    match build_embedded(
        &runtime,
        &out.join("embedded"),
        &["longshore-shim", "longshore-hello"],
    ) {
        Ok(built) => println!("cargo::rustc-env=LONGSHORE_EMBEDDED={}", built.display()),
        Err(error) => panic!("{error}"),
    }
}
