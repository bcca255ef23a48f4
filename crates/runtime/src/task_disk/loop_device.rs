//! A file as a block device, until its last user is gone.

use rustix::fs::{Mode, OFlags, open};
use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

/// Where free devices are asked for.
pub const CONTROL: &str = "/dev/loop-control";
/// The kernel names the same free device to all who ask before one has taken it: in this process one asks at a time.
static ASKING: Mutex<()> = Mutex::new(());
/// Other processes ask as well.
const ATTEMPTS: u32 = 64;
const BLOCK_BYTES: u32 = 4096;

/// An attached device. It goes when this is dropped and nothing has it mounted.
#[derive(Debug)]
pub struct LoopDevice {
    pub path: String,
    _open: OwnedFd,
}

/// `struct loop_info64` of linux/loop.h.
#[repr(C)]
struct Info {
    numbers: [u64; 5],
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    names: [u8; 64 + 64 + 32],
    init: [u64; 2],
}

/// `struct loop_config`.
#[repr(C)]
struct Config {
    fd: u32,
    block_size: u32,
    info: Info,
    reserved: [u64; 8],
}

/// Attaches a file to a free device.
///
/// # Errors
/// This machine has no loop devices (`/dev/loop-control`), or gives none.
pub fn attach(file: &File) -> Result<LoopDevice> {
    let control = open(CONTROL, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
        .map_err(|error| told(error.into(), CONTROL))?;
    let _alone = ASKING.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..ATTEMPTS {
        let number = free(&control)?;
        let path = format!("/dev/loop{number}");
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        let device =
            open(&path, flags, Mode::empty()).map_err(|error| told(error.into(), &path))?;
        match configure(&device, file) {
            Ok(()) => {
                return Ok(LoopDevice {
                    path,
                    _open: device,
                });
            }
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {}
            Err(error) => return Err(told(error, &path)),
        }
    }
    let text = "no loop device is free";
    Err(Error::new(ErrorKind::ResourceBusy, text))
}

fn free(control: &OwnedFd) -> Result<i32> {
    const GET_FREE: u64 = 0x4c82;
    // SAFETY: the request takes no argument.
    match unsafe { libc::ioctl(control.as_raw_fd(), GET_FREE as _) } {
        number @ 0.. => Ok(number),
        _ => Err(told(Error::last_os_error(), CONTROL)),
    }
}

fn configure(device: &OwnedFd, file: &File) -> Result<()> {
    const CONFIGURE: u64 = 0x4c0a;
    // LO_FLAGS_AUTOCLEAR: it is free again once nobody has it open or mounted.
    const AUTOCLEAR: u32 = 4;
    // LO_FLAGS_DIRECT_IO: pages are kept once. Where the host's file system has none the kernel goes without.
    const DIRECT_IO: u32 = 16;
    let config = Config {
        fd: file.as_raw_fd() as u32,
        block_size: BLOCK_BYTES,
        info: Info {
            numbers: [0; 5],
            number: 0,
            encrypt_type: 0,
            encrypt_key_size: 0,
            flags: AUTOCLEAR | DIRECT_IO,
            names: [0; 160],
            init: [0; 2],
        },
        reserved: [0; 8],
    };
    // SAFETY: the request reads the structure, which has the kernel's layout and outlives the call.
    match unsafe { libc::ioctl(device.as_raw_fd(), CONFIGURE as _, &raw const config) } {
        0 => Ok(()),
        _ => Err(Error::last_os_error()),
    }
}

fn told(error: Error, path: &str) -> Error {
    Error::new(error.kind(), format!("{path}: {error}"))
}
