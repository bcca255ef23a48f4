//! A document: JSON of the caller's own form, kept and given back as it is.
//!
//! What always holds: its numbers are 64-bit whole numbers or finite fractions, so that every format which
//! stores shapes stores them.
//! Rule: Smithy's `document` type; the protocols of forms and XML have none.

use crate::description::Kind;
use crate::shape::{ReadError, Shape, ShapeReader, ShapeWriter};
use serde_json::Value;

/// Any JSON value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document(Value);

impl Document {
    /// The value; a number beyond 64 bits becomes the nearest fraction.
    #[must_use]
    pub fn new(mut value: Value) -> Self {
        narrow(&mut value);
        Self(value)
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.0
    }
}

fn narrow(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_u64() && number.as_i64().is_none() => {
            *value = number.as_f64().map_or(Value::Null, Value::from);
        }
        Value::Array(elements) => elements.iter_mut().for_each(narrow),
        Value::Object(members) => members.values_mut().for_each(narrow),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

impl Shape for Document {
    const KIND: Kind = Kind::Document;
    fn write(&self, w: &mut dyn ShapeWriter) {
        w.document(&self.0);
    }
    fn read(r: &mut dyn ShapeReader) -> Result<Self, ReadError> {
        r.document().map(Self::new)
    }
}

/// The value by what every protocol has, where it writes documents as it does shapes.
pub(crate) fn write<W: ShapeWriter + ?Sized>(value: &Value, w: &mut W) {
    match value {
        Value::Null => w.null(),
        Value::Bool(value) => w.boolean(*value),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => w.long(whole),
            None => w.double(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => w.string(text),
        Value::Array(elements) => {
            w.begin_list(elements.len());
            for element in elements {
                w.element();
                write(element, w);
            }
            w.end_list();
        }
        Value::Object(members) => {
            w.begin_map(members.len());
            for (name, value) in members {
                w.key(name);
                write(value, w);
            }
            w.end_map();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stored;
    use crate::ecs::DeploymentLifecycleHook;
    use proptest::prelude::*;
    use serde_json::json;

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<u64>().prop_map(Into::into),
            (-1e9..1e9).prop_map(|number: f64| number.into()),
            ".{0,6}".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::btree_map(".{0,4}", inner, 0..4)
                    .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_document_that_is_stored_comes_back_as_it_was(value in any_value()) {
            let document = Document::new(value);
            let hook = Stored(DeploymentLifecycleHook {
                hook_details: Some(document),
                role_arn: Some("after it".into()),
                ..DeploymentLifecycleHook::default()
            });
            let packed = rmp_serde::to_vec(&hook).unwrap();
            let read = rmp_serde::from_slice::<Stored<DeploymentLifecycleHook>>(&packed).unwrap();
            if hook.0.hook_details == Some(Document::default()) {
                // A member that is null is absent.
                prop_assert_eq!(&read.0.hook_details, &None);
                prop_assert_eq!(&read.0.role_arn, &hook.0.role_arn);
            } else {
                prop_assert_eq!(&read, &hook);
            }
        }
    }

    #[test]
    fn a_stored_document_can_be_read_as_json() {
        let text = r#"{"hookDetails":{"a":[null,{"b":1.5}],"c":true}}"#;
        let hook = serde_json::from_str::<Stored<DeploymentLifecycleHook>>(text).unwrap();
        assert_eq!(serde_json::to_string(&hook).unwrap(), text);
    }

    #[test]
    fn a_number_beyond_64_bits_is_the_nearest_fraction() {
        let document = Document::new(json!({"a": [u64::MAX, i64::MAX, 1.5]}));
        let expected = json!({"a": [u64::MAX as f64, i64::MAX, 1.5]});
        assert_eq!(document.value(), &expected);
    }
}
