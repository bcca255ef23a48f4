//! A small table and contexts for the store's tests.

#![allow(dead_code, reason = "no test uses all of it")]

use aws_types::{Ctx, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Key, Schema, Table};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Note {
    pub name: String,
    pub text: String,
}

pub static NOTES: Table<Key, Note> = Table::new("test.notes", |n| Key::of(&[&n.name]), &[]);

pub fn schema() -> Schema {
    Schema::new(&[&NOTES])
}

pub fn note(name: &str, text: &str) -> Note {
    Note {
        name: name.into(),
        text: text.into(),
    }
}

pub fn key(name: &str) -> Key {
    Key::of(&[name])
}

pub fn ctx() -> Ctx {
    Ctx::for_tests(1, Timestamp::EPOCH)
}
