//! Finds the program of a container, in Docker's words where it cannot be run.

use crate::failure::{Failure, Stage, errno_words};
use std::os::unix::fs::PermissionsExt;

/// `PATH` of an image that sets none. Rule: Docker's default.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The program's path. One without a slash is searched in `path`.
pub fn find(program: &str, path: &str) -> Result<String, Failure> {
    let refuse = |words: &str| Failure::text(Stage::Program, format!("exec: {program:?}: {words}"));
    if program.is_empty() {
        return Err(Failure::text(Stage::Program, "no command specified"));
    }
    if program.contains('/') {
        return match runnable(program) {
            Ok(()) => Ok(program.to_owned()),
            Err(errno @ libc::ENOENT) => {
                Err(refuse(&format!("stat {program}: {}", errno_words(errno))))
            }
            Err(errno) => Err(refuse(&errno_words(errno))),
        };
    }
    let mut denied = false;
    for dir in path.split(':') {
        let candidate = if dir.is_empty() {
            format!("./{program}")
        } else {
            format!("{dir}/{program}")
        };
        match runnable(&candidate) {
            Ok(()) => return Ok(candidate),
            Err(errno) => denied |= errno == libc::EACCES,
        }
    }
    Err(refuse(if denied {
        "permission denied"
    } else {
        "executable file not found in $PATH"
    }))
}

fn runnable(path: &str) -> Result<(), i32> {
    let meta =
        std::fs::metadata(path).map_err(|error| error.raw_os_error().unwrap_or(libc::EIO))?;
    if meta.is_dir() {
        return Err(libc::EISDIR);
    }
    if meta.permissions().mode() & 0o111 == 0 {
        Err(libc::EACCES)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_told_in_dockers_words() {
        let error = |program, path| find(program, path).map_err(|f| f.to_string());
        assert_eq!(
            error("foo", DEFAULT_PATH),
            Err(r#"exec: "foo": executable file not found in $PATH"#.into())
        );
        assert_eq!(
            error("/no/foo", ""),
            Err(r#"exec: "/no/foo": stat /no/foo: no such file or directory"#.into())
        );
        assert_eq!(
            error("/etc/passwd", ""),
            Err(r#"exec: "/etc/passwd": permission denied"#.into())
        );
        assert_eq!(
            error("/etc", ""),
            Err(r#"exec: "/etc": is a directory"#.into())
        );
        assert_eq!(error("sh", "/nowhere:/bin"), Ok("/bin/sh".into()));
    }
}
