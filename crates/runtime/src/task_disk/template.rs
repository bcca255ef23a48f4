//! Empty file systems, made once for each size and copied: of a sparse file only what is written takes time.

use rustix::fs::{SeekFrom, copy_file_range, seek};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// A file for so many bytes of disk, which is what an image of small files needs on average.
const BYTES_PER_FILE: &str = "32768";
/// Where the tool is, whatever this process's `PATH` says.
const DIRECTORIES: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/bin"];
const TOOL: &str = "mkfs.ext4";

/// Empty file systems below a directory.
#[derive(Debug)]
pub struct Templates {
    dir: PathBuf,
    /// `std` mutex: one is made at a time, which takes some ten milliseconds.
    making: Mutex<()>,
}

impl Templates {
    /// In a directory that is made with the first of them.
    pub fn new(dir: PathBuf) -> Self {
        let making = Mutex::default();
        Self { dir, making }
    }

    /// Makes `to` an empty file system of this size. Blocks.
    pub fn copy(&self, bytes: u64, to: &Path) -> Result<File> {
        let template = self.dir.join(bytes.to_string());
        let from = match File::open(&template) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.make(bytes, &template)?;
                File::open(&template)?
            }
            other => other?,
        };
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(true);
        let to = options.mode(0o600).open(to)?;
        to.set_len(bytes)?;
        copy_written(&from, &to)?;
        Ok(to)
    }

    fn make(&self, bytes: u64, template: &Path) -> Result<()> {
        let _alone = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if template.exists() {
            return Ok(());
        }
        fs::create_dir_all(&self.dir)?;
        // An agent that is killed meanwhile leaves this one, which is made anew.
        let unfinished = template.with_extension("new");
        File::create(&unfinished)?.set_len(bytes)?;
        format(&unfinished)?;
        fs::rename(&unfinished, template)
    }
}

/// What makes them.
pub fn tool() -> Option<PathBuf> {
    let places = DIRECTORIES.map(|dir| Path::new(dir).join(TOOL));
    places.into_iter().find(|tool| tool.exists())
}

/// No journal and no blocks kept for root: a disk does not outlive the machine's run.
fn format(image: &Path) -> Result<()> {
    let tool = tool().ok_or_else(|| {
        let text = format!("{TOOL} is missing (package e2fsprogs)");
        Error::new(ErrorKind::NotFound, text)
    })?;
    let ended = Command::new(&tool)
        .args(["-q", "-F", "-m", "0", "-i", BYTES_PER_FILE])
        .args(["-O", "^has_journal,^resize_inode"])
        .args(["-E", "lazy_itable_init=1,nodiscard,root_owner=0:0"])
        .arg(image)
        .stdin(Stdio::null())
        .output()?;
    if ended.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ended.stderr);
    Err(Error::other(format!("{}: {}", tool.display(), said.trim())))
}

/// Holes stay holes.
fn copy_written(from: &File, to: &File) -> Result<()> {
    let mut at = 0;
    loop {
        at = match seek(from, SeekFrom::Data(at)) {
            Ok(at) => at,
            // No data beyond.
            Err(Errno::NXIO) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let end = seek(from, SeekFrom::Hole(at))?;
        while at < end {
            let (mut source, mut target) = (at, at);
            let length = usize::try_from(end - at).unwrap_or(usize::MAX);
            let copied = copy_file_range(from, Some(&mut source), to, Some(&mut target), length)?;
            if copied == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            at += copied as u64;
        }
    }
}
