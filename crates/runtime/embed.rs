// Builds the static executables that the agent embeds, by a nested cargo. For build scripts and tests, by `include!`:
// a build script cannot depend on the crate whose binaries it builds.

/// Builds `bins` of the crate in `manifest_dir` below `target_dir` and returns the directory that then holds them.
fn build_embedded(
    manifest_dir: &std::path::Path,
    target_dir: &std::path::Path,
    bins: &[&str],
) -> Result<std::path::PathBuf, String> {
    const TARGET: &str = if cfg!(target_arch = "aarch64") {
        "aarch64-unknown-linux-gnu"
    } else {
        "x86_64-unknown-linux-gnu"
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = std::process::Command::new(cargo);
    command
        .args(["build", "--quiet", "--package", "runtime", "--profile", "embedded", "--no-default-features"])
        .args(["--target", TARGET])
        .args(bins.iter().flat_map(|bin| ["--bin", bin]))
        .arg("--manifest-path")
        .arg(manifest_dir.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(target_dir)
        .env("RUSTFLAGS", "-C target-feature=+crt-static -C relocation-model=static");
    // What the outer cargo set for its own build must not reach this one.
    for name in ["CARGO_ENCODED_RUSTFLAGS", "CARGO_TARGET_DIR", "CARGO_BUILD_TARGET", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"] {
        command.env_remove(name);
    }
    let status = command.status().map_err(|error| format!("cargo: {error}"))?;
    if !status.success() {
        return Err(format!("building {bins:?} of the crate runtime failed ({status})"));
    }
    Ok(target_dir.join(TARGET).join("embedded"))
}
