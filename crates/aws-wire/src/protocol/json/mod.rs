//! awsJson 1.0 and 1.1: objects in, objects out.

mod lexer;
mod reader;
mod writer;

pub use reader::JsonReader;
pub use writer::JsonWriter;

use aws_api::ShapeWriter;
use aws_types::AwsError;

/// The body of an error; `kind` is its shape's name.
#[must_use]
pub fn error(error: &AwsError, kind: &str) -> Vec<u8> {
    let mut writer = JsonWriter::default();
    writer.open(b'{');
    writer.key("__type");
    writer.string(kind);
    writer.key("message");
    writer.string(error.message());
    for (name, values) in error.list_members() {
        writer.key(name);
        writer.begin_list(values.len());
        for value in values {
            writer.element();
            writer.string(value);
        }
        writer.end_list();
    }
    writer.close(b'}');
    writer.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_api::{ReadError, Shape, ecs};
    use aws_types::Timestamp;
    use proptest::prelude::*;
    use serde_json::json;

    fn read<T: Shape>(text: &str) -> Result<T, ReadError> {
        let mut reader = JsonReader::new(text.as_bytes());
        let value = T::read(&mut reader)?;
        reader.finish()?;
        Ok(value)
    }

    fn written<T: Shape>(value: &T) -> String {
        let mut writer = JsonWriter::default();
        value.write(&mut writer);
        String::from_utf8(writer.into_bytes()).unwrap()
    }

    #[test]
    fn a_request_reads_and_writes_back() {
        let text = r#"{"cluster":"c","count":3,"tags":[{"key":"k","value":"v \"ü\" \n"}],"enableExecuteCommand":false,"overrides":{"containerOverrides":[{"name":"a","command":["x"]}]}}"#;
        let request: ecs::RunTaskRequest = read(text).unwrap();
        assert_eq!(request.count, Some(3));
        assert_eq!(read::<ecs::RunTaskRequest>(&written(&request)), Ok(request));
    }

    #[test]
    fn moments_are_seconds_with_milliseconds() {
        let task = ecs::Task {
            created_at: Some(Timestamp::from_millis(1_707_741_897_056)),
            ..Default::default()
        };
        assert_eq!(written(&task), r#"{"createdAt":1707741897.056}"#);
    }

    #[test]
    fn wrong_types_are_named_and_unknown_or_null_members_skipped() {
        for (text, expected) in [
            (
                r#"{"count":"3"}"#,
                "STRING_VALUE can not be converted to an Integer",
            ),
            (
                r#"{"count":3.5}"#,
                "DECIMAL_VALUE can not be converted to an Integer",
            ),
            (
                r#"{"count":99999999999}"#,
                "NUMBER_VALUE can not be converted to an Integer",
            ),
            (
                r#"{"count":1e400}"#,
                "NUMBER_VALUE can not be converted to an Integer",
            ),
            (
                r#"{"cluster":3}"#,
                "NUMBER_VALUE can not be converted to a String",
            ),
            (
                r#"{"tags":{}}"#,
                "START_OBJECT can not be converted to a list",
            ),
            (
                r#"{"enableExecuteCommand":"true"}"#,
                "STRING_VALUE can not be converted to Boolean",
            ),
            (
                r#"[]"#,
                "START_ARRAY can not be converted to RunTaskRequest",
            ),
        ] {
            assert_eq!(
                read::<ecs::RunTaskRequest>(text).unwrap_err().0,
                expected,
                "{text}"
            );
        }
        for text in [
            "",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{} x",
            "{\"cluster\":\"\\q\"}",
            "{,}",
            "{\"a\":1,}",
            "{\"count\":01}",
            "{\"count\":1.}",
            "{\"count\":-}",
            "{\"a\":1e}",
            "{\"a\":--1}",
        ] {
            assert!(read::<ecs::RunTaskRequest>(text).is_err(), "{text}");
        }
        let request = read::<ecs::RunTaskRequest>(r#" { "new" : [ { "a" : [ 1e3 , null ] } , "\u00e9\ud83d\ude00" ] , "count" : null , "cluster" : "\u00e9\ud83d\ude00" } "#).unwrap();
        assert_eq!(
            (request.count, request.cluster.as_deref()),
            (None, Some("é😀"))
        );
    }

    #[test]
    fn half_a_surrogate_pair_is_no_character() {
        for (text, expected) in [
            (r#""\ud83d\ude00""#, "😀"),
            (r#""\ud83d""#, "\u{fffd}"),
            (r#""\ude00x""#, "\u{fffd}x"),
            (r#""\ud83d\u0041""#, "\u{fffd}A"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
        ] {
            let request: ecs::RunTaskRequest = read(&format!("{{\"cluster\":{text}}}")).unwrap();
            assert_eq!(request.cluster.as_deref(), Some(expected), "{text}");
        }
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
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

    #[test]
    fn a_document_has_bounds() {
        let of = |document: &str| {
            read::<ecs::DeploymentLifecycleHook>(&format!("{{\"hookDetails\":{document}}}"))
        };
        for (document, expected) in [
            (
                format!("[{}0]", "0,".repeat(10_000)),
                "the document has too many values",
            ),
            ("[".repeat(5000), "the body is nested too deeply"),
            ("[1e400]".into(), "a number of the document is too large"),
            (
                "{\"a\" 1}".into(),
                "Could not parse the request body as JSON",
            ),
            ("[tru]".into(), "Could not parse the request body as JSON"),
        ] {
            assert_eq!(of(&document).unwrap_err().0, expected);
        }
        assert!(of(&format!("[{}0]", "0,".repeat(9_990))).is_ok());
    }

    proptest! {
        /// Under a name that no shape has, so that every value is skipped. An exponent may exceed
        /// what serde_json's numbers hold, and a half surrogate is its error: neither is made here.
        #[test]
        fn what_is_json_is_what_serde_json_takes_for_it(value in any_json(), at in any::<prop::sample::Index>(), byte in prop::sample::select(b"{}[]:,\"\\0-. nt\x01\xff".to_vec()), change in 0u8..3) {
            let mut text = format!("{{\"unknown\":{value}}}").into_bytes();
            let at = at.index(text.len());
            match change {
                0 => {}
                1 => text[at] = byte,
                _ => text.insert(at, byte),
            }
            let theirs = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&text);
            let mut reader = JsonReader::new(&text);
            let ours = ecs::ListClustersRequest::read(&mut reader).and_then(|_| reader.finish());
            prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{} {:?} {:?}", String::from_utf8_lossy(&text), ours, theirs);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = ecs::RegisterTaskDefinitionRequest::read(&mut JsonReader::new(&bytes));
        }

        #[test]
        fn no_json_like_text_makes_it_panic(text in r#"[\[\]{}:,"\\a-ftnu0-9.eE+ -]{0,80}"#) {
            let _ = ecs::RegisterTaskDefinitionRequest::read(&mut JsonReader::new(text.as_bytes()));
        }

        #[test]
        fn a_document_comes_back_as_it_was(value in any_json()) {
            let whole = json!({"hookDetails": value, "roleArn": "after it"});
            let hook = read::<ecs::DeploymentLifecycleHook>(&whole.to_string()).unwrap();
            prop_assert_eq!(hook.role_arn.as_deref(), Some("after it"));
            let kept = hook.hook_details.as_ref().map(|details| details.value().clone());
            prop_assert_eq!(kept.unwrap_or_default(), value);
            prop_assert_eq!(read::<ecs::DeploymentLifecycleHook>(&written(&hook)), Ok(hook));
        }

        #[test]
        fn any_text_survives(text in any::<String>()) {
            let request = ecs::RunTaskRequest { cluster: Some(text), ..Default::default() };
            prop_assert_eq!(read::<ecs::RunTaskRequest>(&written(&request)), Ok(request));
        }

        #[test]
        fn deep_nesting_is_refused_and_does_not_overflow(depth in 65usize..5000) {
            let text = format!("{{\"x\":{}", "[".repeat(depth));
            prop_assert!(read::<ecs::RunTaskRequest>(&text).is_err());
        }
    }
}
