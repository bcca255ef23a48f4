//! Temporary credentials of a task's roles, derived from the server's key: nothing is stored for them.
//!
//! The session token says whose they are and until when, under a MAC of the server's key; access key id
//! and secret follow from the token's contents. So every server that has the key verifies them, and none
//! can be made up, prolonged or mixed. They end with their time or, live, with their task: whoever opens a
//! token asks for that ([`Opened::task_arn`]).
//! Rule: decision 0010; AWS's forms of ids, `AssumedRoleUser` and `GetAccessKeyInfo`.

use crate::caller::Known;
use crate::records::AccessKey;
use aws_types::{Arn, Caller, Principal, Timestamp};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// The digits of AWS's ids.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const VERSION: u8 = 1;
const MAC_LEN: usize = 32;
/// Version, kind, and two moments.
const HEAD_LEN: usize = 2 + 8 + 8;
/// The longest text that can be a token of ours.
const TOKEN_LEN_MAX: usize = 4096;
/// Bytes that make a secret of 40 characters.
const SECRET_BYTES: usize = 30;
/// After the prefix `AROA`.
const ROLE_ID_DIGITS: usize = 17;

/// The key from which credentials of sessions are derived.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKey([u8; 32]);

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey")
    }
}

/// Which of a task's roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleKind {
    /// `taskRoleArn`: what the containers are.
    Application,
    /// `executionRoleArn`: what the agent is on the task's behalf.
    Execution,
}

impl RoleKind {
    /// As the agent's protocol names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Application => "TaskApplication",
            Self::Execution => "TaskExecution",
        }
    }

    fn byte(self) -> u8 {
        match self {
            Self::Application => 1,
            Self::Execution => 2,
        }
    }

    fn of(byte: u8) -> Option<Self> {
        [Self::Application, Self::Execution]
            .into_iter()
            .find(|kind| kind.byte() == byte)
    }
}

/// A role taken on for a task, for a time. Moments are whole seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleSession {
    /// Which of the task's roles.
    pub kind: RoleKind,
    /// `arn:PARTITION:iam::ACCOUNT:role/PATH/NAME`.
    pub role_arn: String,
    /// For whom; the last part of the ARN is the session's name.
    pub task_arn: String,
    /// `aws:TokenIssueTime`.
    pub issued_at: Timestamp,
    /// From then on they are good for nothing.
    pub expires_at: Timestamp,
}

/// What a client signs with.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionCredentials {
    /// `ASIA` and 16 characters.
    pub access_key_id: String,
    /// 40 characters.
    pub secret: String,
    /// To be sent along.
    pub session_token: String,
    /// `2026-01-01T00:00:00Z`.
    pub expiration: String,
}

impl fmt::Debug for SessionCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Secret and token stay out of logs.
        f.debug_struct("SessionCredentials")
            .field("access_key_id", &self.access_key_id)
            .field("expiration", &self.expiration)
            .finish_non_exhaustive()
    }
}

/// A token that is ours and in time.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Whose secret must have signed, and who then asks.
    pub known: Known,
    /// The task without which it is good for nothing.
    pub task_arn: String,
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionFault {
    /// It is not ours, or not this access key's.
    Invalid,
    /// Its time is over.
    Expired,
}

impl SessionKey {
    /// From 32 bytes of the system's random source, taken once and kept.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The credentials of a session: the same each time.
    #[must_use]
    pub fn credentials(&self, session: &RoleSession) -> SessionCredentials {
        let body = body(session);
        let mut token = body.clone();
        token.extend_from_slice(&self.mac("token", &[&body]));
        SessionCredentials {
            access_key_id: self.access_key_id(session, &body),
            secret: self.secret(&body),
            session_token: STANDARD.encode(token),
            expiration: to_the_second(session.expires_at),
        }
    }

    /// The unguessable name under which a task's credentials are fetched; it outlives every renewal.
    #[must_use]
    pub fn credentials_id(&self, kind: RoleKind, task_arn: &str) -> String {
        let bytes = self.mac("credentials id", &[&[kind.byte()], task_arn.as_bytes()]);
        let digits: String = bytes[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let part = |from: usize, to: usize| &digits[from..to];
        let parts = [
            part(0, 8),
            part(8, 12),
            part(12, 16),
            part(16, 20),
            part(20, 32),
        ];
        parts.join("-")
    }

    /// Who signs with this access key and token.
    ///
    /// # Errors
    /// The token is not ours, not of that access key, or too old.
    pub fn open(
        &self,
        access_key_id: &str,
        token: &str,
        now: Timestamp,
    ) -> Result<Opened, SessionFault> {
        let session = self.read(token).ok_or(SessionFault::Invalid)?;
        let body = body(&session);
        let own_id = self.access_key_id(&session, &body);
        if !bool::from(own_id.as_bytes().ct_eq(access_key_id.as_bytes())) {
            return Err(SessionFault::Invalid);
        }
        if session.expires_at <= now {
            return Err(SessionFault::Expired);
        }
        let caller = caller(&session, access_key_id).ok_or(SessionFault::Invalid)?;
        let key = AccessKey {
            access_key_id: access_key_id.into(),
            secret: self.secret(&body),
            principal: caller.principal.clone(),
            account: caller.account.clone(),
            created_at: session.issued_at,
            session_token: Some(token.into()),
        };
        Ok(Opened {
            known: Known {
                key: Arc::new(key),
                caller,
            },
            task_arn: session.task_arn,
        })
    }

    fn read(&self, token: &str) -> Option<RoleSession> {
        if token.len() > TOKEN_LEN_MAX {
            return None;
        }
        let bytes = STANDARD.decode(token).ok()?;
        let (body, mac) = bytes.split_at_checked(bytes.len().checked_sub(MAC_LEN)?)?;
        if !bool::from(self.mac("token", &[body]).ct_eq(mac)) {
            return None;
        }
        let (head, texts) = body.split_at_checked(HEAD_LEN)?;
        let moment = |from: usize| {
            let bytes = head[from..from + 8].try_into().ok()?;
            Some(Timestamp::from_millis(i64::from_be_bytes(bytes)))
        };
        if head[0] != VERSION {
            return None;
        }
        let (role_arn, task_arn) = std::str::from_utf8(texts).ok()?.split_once('\0')?;
        Some(RoleSession {
            kind: RoleKind::of(head[1])?,
            role_arn: role_arn.into(),
            task_arn: task_arn.into(),
            issued_at: moment(2)?,
            expires_at: moment(10)?,
        })
    }

    fn secret(&self, body: &[u8]) -> String {
        STANDARD.encode(&self.mac("secret", &[body])[..SECRET_BYTES])
    }

    /// Ten bytes in base32: the account in bits 7 to 46 of the first six, as `GetAccessKeyInfo` reads
    /// it, and chance.
    fn access_key_id(&self, session: &RoleSession, body: &[u8]) -> String {
        let mac = self.mac("access key id", &[body]);
        let account = session.role_arn.split(':').nth(4).unwrap_or_default();
        let account: u64 = account.parse().unwrap_or(0);
        let first = (1 << 47) | (account << 7) | u64::from(mac[0] & 0x7f);
        let mut bytes = [0; 10];
        bytes[..6].copy_from_slice(&first.to_be_bytes()[2..]);
        bytes[6..].copy_from_slice(&mac[1..5]);
        format!("ASIA{}", base32(&bytes))
    }

    /// Of parts that are told apart by their lengths.
    fn mac(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        for part in [b"longshore session", purpose.as_bytes()]
            .iter()
            .chain(parts)
        {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

fn body(session: &RoleSession) -> Vec<u8> {
    let mut body = vec![VERSION, session.kind.byte()];
    body.extend_from_slice(&session.issued_at.millis().to_be_bytes());
    body.extend_from_slice(&session.expires_at.millis().to_be_bytes());
    body.extend_from_slice(session.role_arn.as_bytes());
    body.push(0);
    body.extend_from_slice(session.task_arn.as_bytes());
    body
}

/// The assumed role.
fn caller(session: &RoleSession, access_key_id: &str) -> Option<Caller> {
    let role: Arn = session.role_arn.parse().ok()?;
    let name = role.resource.rsplit('/').next()?;
    let session_name = session.task_arn.rsplit('/').next()?;
    Some(Caller {
        principal: match session.kind {
            RoleKind::Application => Principal::Task {
                arn: session.task_arn.clone(),
            },
            RoleKind::Execution => Principal::Execution {
                arn: session.task_arn.clone(),
            },
        },
        arn: format!(
            "arn:{}:sts::{}:assumed-role/{name}/{session_name}",
            role.partition, role.account
        ),
        user_id: format!("{}:{session_name}", role_id(&session.role_arn)),
        account: role.account,
        access_key_id: access_key_id.into(),
    })
}

/// A role's id has the prefix `AROA`; until roles are records it follows from the ARN.
fn role_id(role_arn: &str) -> String {
    let digits = base32(&Sha256::digest(role_arn.as_bytes())[..15]);
    format!("AROA{}", &digits[..ROLE_ID_DIGITS])
}

/// Five bytes are eight digits; a rest is left out.
fn base32(bytes: &[u8]) -> String {
    let groups = bytes.chunks_exact(5).map(|five| {
        let wide = [&[0; 3], five].concat();
        u64::from_be_bytes(wide.try_into().unwrap_or_default())
    });
    let digits = groups.flat_map(|bits| (0..8).rev().map(move |at| bits >> (5 * at) & 31));
    digits
        .map(|digit| char::from(BASE32[usize::from(digit as u8)]))
        .collect()
}

/// ISO 8601 without a fraction, as STS writes it.
fn to_the_second(moment: Timestamp) -> String {
    let mut text = moment.iso8601();
    text.truncate("2026-01-01T00:00:00".len());
    text.push('Z');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;
    const TASK: &str = "arn:aws:ecs:us-east-1:123456789012:task/default/0a1b";

    fn key(byte: u8) -> SessionKey {
        SessionKey::new([byte; 32])
    }

    fn session() -> RoleSession {
        RoleSession {
            kind: RoleKind::Application,
            role_arn: "arn:aws:iam::123456789012:role/team/app".into(),
            task_arn: TASK.into(),
            issued_at: Timestamp::from_millis(0),
            expires_at: Timestamp::from_millis(6 * HOUR_MS),
        }
    }

    #[test]
    fn credentials_have_awss_forms_and_open_to_the_assumed_role() {
        let made = key(1).credentials(&session());
        assert_eq!(made, key(1).credentials(&session()), "the same each time");
        assert_eq!((made.access_key_id.len(), made.secret.len()), (20, 40));
        assert!(made.access_key_id.starts_with("ASIA"));
        assert_eq!(made.expiration, "1970-01-01T06:00:00Z");
        let at = Timestamp::from_millis(HOUR_MS);
        let opened = key(1).open(&made.access_key_id, &made.session_token, at);
        let opened = opened.expect("it is ours");
        let caller = opened.known.caller;
        assert_eq!(
            caller.arn,
            "arn:aws:sts::123456789012:assumed-role/app/0a1b"
        );
        assert!(caller.user_id.starts_with("AROA") && caller.user_id.ends_with(":0a1b"));
        assert_eq!(caller.user_id.len(), 21 + ":0a1b".len());
        assert_eq!(caller.principal, Principal::Task { arn: TASK.into() });
        assert_eq!(opened.known.key.secret, made.secret);
        assert_eq!(opened.task_arn, TASK);
        let execution = RoleSession {
            kind: RoleKind::Execution,
            ..session()
        };
        let made = key(1).credentials(&execution);
        let opened = key(1).open(&made.access_key_id, &made.session_token, at);
        let caller = opened.expect("it is ours").known.caller;
        assert_eq!(caller.principal, Principal::Execution { arn: TASK.into() });
    }

    #[test]
    fn the_account_is_in_the_access_key_id() {
        let id = key(1).credentials(&session()).access_key_id;
        let value = |digit: u8| BASE32.iter().position(|known| *known == digit).unwrap() as u64;
        // Twelve digits are 60 bits: the first 48 of them are six bytes.
        let bits = id.as_bytes()[4..14]
            .iter()
            .fold(0, |bits, digit| bits << 5 | value(*digit));
        assert_eq!((bits >> 2 & 0x7fff_ffff_ff80) >> 7, 123_456_789_012);
    }

    #[test]
    fn a_token_of_another_key_time_or_owner_is_refused() {
        let made = key(1).credentials(&session());
        let (id, token) = (made.access_key_id.as_str(), made.session_token.as_str());
        let at = |hours: i64| Timestamp::from_millis(hours * HOUR_MS);
        let fault = |key: &SessionKey, id: &str, token: &str, hours: i64| {
            key.open(id, token, at(hours)).err()
        };
        assert_eq!(fault(&key(1), id, token, 5), None);
        assert_eq!(fault(&key(1), id, token, 6), Some(SessionFault::Expired));
        assert_eq!(fault(&key(2), id, token, 5), Some(SessionFault::Invalid));
        let other = RoleSession {
            task_arn: format!("{TASK}2"),
            ..session()
        };
        let other = key(1).credentials(&other);
        for (id, token) in [
            (other.access_key_id.as_str(), token),
            (id, other.session_token.as_str()),
            (id, ""),
            (id, "AAAA"),
            (id, "no token"),
            (id, &"A".repeat(8192)),
        ] {
            let found = fault(&key(1), id, token, 5);
            assert_eq!(found, Some(SessionFault::Invalid), "{id} {token}");
        }
        let mut bytes = STANDARD.decode(token).unwrap();
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            let changed = STANDARD.encode(&bytes);
            assert_eq!(
                fault(&key(1), id, &changed, 5),
                Some(SessionFault::Invalid),
                "byte {at}"
            );
            bytes[at] ^= 1;
        }
    }

    #[test]
    fn a_name_to_fetch_by_is_each_tasks_and_roles_own() {
        let of = |kind, task| key(1).credentials_id(kind, task);
        let mine = of(RoleKind::Application, TASK);
        assert_eq!(mine, of(RoleKind::Application, TASK));
        assert_ne!(mine, of(RoleKind::Execution, TASK));
        assert_ne!(mine, of(RoleKind::Application, "arn:other"));
        assert_ne!(mine, key(2).credentials_id(RoleKind::Application, TASK));
        assert_eq!(mine.len(), 36);
    }
}
