//! A shape as JSON the way events write it: a moment is ISO 8601 text with milliseconds.

use aws_api::{Member, Shape, ShapeWriter, StructDescription};
use aws_types::Timestamp;
use serde_json::{Map, Value};

/// The shape as JSON.
pub(super) fn of(shape: &impl Shape) -> Value {
    let mut writer = Writer::default();
    shape.write(&mut writer);
    writer.done.unwrap_or_default()
}

/// What is open, the innermost last; a finished value goes into the one around it.
#[derive(Default)]
struct Writer {
    open: Vec<Open>,
    done: Option<Value>,
}

enum Open {
    Object(Map<String, Value>, String),
    List(Vec<Value>),
}

impl Writer {
    fn put(&mut self, value: Value) {
        match self.open.last_mut() {
            None => self.done = Some(value),
            Some(Open::List(elements)) => elements.push(value),
            Some(Open::Object(members, name)) => {
                members.insert(std::mem::take(name), value);
            }
        }
    }

    fn name(&mut self, next: &str) {
        if let Some(Open::Object(_, name)) = self.open.last_mut() {
            next.clone_into(name);
        }
    }

    fn close(&mut self) {
        match self.open.pop() {
            Some(Open::Object(members, _)) => self.put(Value::Object(members)),
            Some(Open::List(elements)) => self.put(Value::Array(elements)),
            None => {}
        }
    }
}

impl ShapeWriter for Writer {
    fn begin_struct(&mut self, _: &'static StructDescription) {
        self.open.push(Open::Object(Map::new(), String::new()));
    }
    fn member(&mut self, member: &'static Member) {
        self.name(member.name);
    }
    fn end_struct(&mut self) {
        self.close();
    }
    fn begin_list(&mut self, len: usize) {
        self.open.push(Open::List(Vec::with_capacity(len)));
    }
    fn element(&mut self) {}
    fn end_list(&mut self) {
        self.close();
    }
    fn begin_map(&mut self, _: usize) {
        self.open.push(Open::Object(Map::new(), String::new()));
    }
    fn key(&mut self, key: &str) {
        self.name(key);
    }
    fn end_map(&mut self) {
        self.close();
    }
    fn string(&mut self, value: &str) {
        self.put(value.into());
    }
    fn boolean(&mut self, value: bool) {
        self.put(value.into());
    }
    fn long(&mut self, value: i64) {
        self.put(value.into());
    }
    fn double(&mut self, value: f64) {
        self.put(value.into());
    }
    fn float(&mut self, value: f32) {
        self.put(value.into());
    }
    fn timestamp(&mut self, value: Timestamp) {
        self.put(value.iso8601().into());
    }
    fn blob(&mut self, value: &[u8]) {
        use base64::Engine;
        let text = base64::engine::general_purpose::STANDARD.encode(value);
        self.put(text.into());
    }
    fn null(&mut self) {
        self.put(Value::Null);
    }
}
