//! Who the container's program runs as, from the container's own `/etc/passwd` and `/etc/group`.
//!
//! Pure but for [`resolve`]. Rule: Docker's `--user`: `name|uid[:group|gid]`; a number need not be listed; a group that
//! is named replaces the user's own and its supplementary groups.

use crate::failure::{Failure, Stage};
use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;

/// A passwd or group file longer than this is cut: nobody has one, and an image must not fill our memory.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Ids and home directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups, the group itself first.
    pub groups: Vec<u32>,
    /// Home directory, `/` where none is listed.
    pub home: String,
}

/// Resolves a user in the present root directory.
pub fn resolve(user: &str) -> Result<User, Failure> {
    resolve_in(user, &read("/etc/passwd"), &read("/etc/group"))
        .map_err(|text| Failure::text(Stage::User, text))
}

/// A missing or odd file counts as empty. Non-blocking, since an image may place a pipe there.
fn read(path: &str) -> String {
    let mut bytes = Vec::new();
    if let Ok(file) = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        && file.metadata().is_ok_and(|meta| meta.is_file())
    {
        // What could be read before an error still counts.
        let _ = file.take(FILE_BYTES_MAX).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn resolve_in(user: &str, passwd: &str, group: &str) -> Result<User, String> {
    let (name, group_name) = match user.split_once(':') {
        Some((name, group)) => (name, Some(group).filter(|g| !g.is_empty())),
        None => (user, None),
    };
    let name = if name.is_empty() { "0" } else { name };
    let number = name.parse::<u32>().ok();
    let entry = passwd_entry(passwd, name).or_else(|| passwd_by_id(passwd, number?));
    let uid = entry.as_ref().map(|e| e.uid).or(number);
    let uid = uid
        .ok_or_else(|| format!("unable to find user {name}: no matching entries in passwd file"))?;
    let home = entry
        .as_ref()
        .map(|e| e.home.clone())
        .filter(|h| !h.is_empty())
        .unwrap_or_else(|| "/".into());
    let own_gid = entry.as_ref().map_or(0, |e| e.gid);
    let (gid, mut groups) = match group_name {
        None => (
            own_gid,
            entry
                .map(|e| groups_with(group, &e.name))
                .unwrap_or_default(),
        ),
        Some(wanted) => (group_id(group, wanted)?, Vec::new()),
    };
    groups.retain(|&g| g != gid);
    groups.insert(0, gid);
    Ok(User {
        uid,
        gid,
        groups,
        home,
    })
}

struct Entry {
    name: String,
    uid: u32,
    gid: u32,
    home: String,
}

fn passwd_entries(passwd: &str) -> impl Iterator<Item = Entry> {
    passwd.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        Some(Entry {
            name: (*fields.first()?).to_owned(),
            uid: fields.get(2)?.parse().ok()?,
            gid: fields.get(3)?.parse().ok()?,
            home: fields.get(5).copied().unwrap_or_default().to_owned(),
        })
    })
}

fn passwd_entry(passwd: &str, name: &str) -> Option<Entry> {
    passwd_entries(passwd).find(|entry| entry.name == name)
}

fn passwd_by_id(passwd: &str, uid: u32) -> Option<Entry> {
    passwd_entries(passwd).find(|entry| entry.uid == uid)
}

fn group_lines(group: &str) -> impl Iterator<Item = (&str, u32, &str)> {
    group.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let gid = fields.nth(1)?.parse().ok()?;
        Some((name, gid, fields.next().unwrap_or_default()))
    })
}

fn groups_with(group: &str, user: &str) -> Vec<u32> {
    group_lines(group)
        .filter(|(_, _, members)| members.split(',').any(|m| m == user))
        .map(|(_, gid, _)| gid)
        .collect()
}

fn group_id(group: &str, wanted: &str) -> Result<u32, String> {
    let listed = group_lines(group)
        .find(|(name, ..)| *name == wanted)
        .map(|(_, gid, _)| gid);
    listed
        .or_else(|| wanted.parse().ok())
        .ok_or_else(|| format!("unable to find group {wanted}: no matching entries in group file"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/sh\nnobody broken line\nweb:x:33:34:w:/srv:/bin/sh\n";
    const GROUP: &str = "root:x:0:root\nadm:x:4:root,web\nwww:x:34:\nlogs:x:50:web\n";

    #[test]
    fn users_resolve_as_docker_resolves_them() {
        let user = |uid, gid, groups: &[u32], home: &str| {
            Ok(User {
                uid,
                gid,
                groups: groups.to_vec(),
                home: home.into(),
            })
        };
        for (given, expected) in [
            ("", user(0, 0, &[0, 4], "/root")),
            ("0", user(0, 0, &[0, 4], "/root")),
            ("web", user(33, 34, &[34, 4, 50], "/srv")),
            ("33", user(33, 34, &[34, 4, 50], "/srv")),
            ("web:adm", user(33, 4, &[4], "/srv")),
            ("web:77", user(33, 77, &[77], "/srv")),
            ("1000", user(1000, 0, &[0], "/")),
            ("1000:logs", user(1000, 50, &[50], "/")),
            (
                "foo",
                Err("unable to find user foo: no matching entries in passwd file".into()),
            ),
            (
                "web:foo",
                Err("unable to find group foo: no matching entries in group file".into()),
            ),
        ] {
            assert_eq!(resolve_in(given, PASSWD, GROUP), expected, "user {given:?}");
        }
    }
}
