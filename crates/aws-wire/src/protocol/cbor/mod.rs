//! Smithy RPC v2 CBOR: maps in, maps out.
//!
//! Rule: Smithy's "RPC v2 CBOR protocol"; RFC 8949 for the encoding.

mod reader;
mod writer;

pub use reader::CborReader;
pub use writer::CborWriter;

use aws_api::ShapeWriter;
use aws_types::AwsError;

/// The body of an error: `kind` is the absolute id of its shape.
#[must_use]
pub fn error(error: &AwsError, kind: &str) -> Vec<u8> {
    let lists = error.list_members();
    let mut writer = CborWriter::default();
    writer.begin_map(2 + lists.len());
    writer.key("__type");
    writer.string(kind);
    writer.key("message");
    writer.string(error.message());
    for (name, values) in lists {
        writer.key(name);
        writer.begin_list(values.len());
        for value in values {
            writer.string(value);
        }
    }
    writer.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_api::{ReadError, Shape, cloudwatch, ecs};
    use aws_types::{ErrorCode, Timestamp};
    use proptest::prelude::*;

    fn read<T: Shape>(bytes: &[u8]) -> Result<T, ReadError> {
        let mut reader = CborReader::new(bytes);
        let value = T::read(&mut reader)?;
        reader.finish()?;
        Ok(value)
    }

    fn written<T: Shape>(value: &T) -> Vec<u8> {
        let mut writer = CborWriter::default();
        value.write(&mut writer);
        writer.into_bytes()
    }

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
        let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
        digits.chunks(2).map(|two| pair(two).unwrap()).collect()
    }

    #[test]
    fn what_botocore_sends_is_read() {
        // botocore 1.44.8: SetAlarmState(AlarmName="a", StateValue="OK", StateReason="r").
        let text =
            "bf69416c61726d4e616d6561616a537461746556616c7565624f4b6b5374617465526561736f6e6172ff";
        let input: cloudwatch::SetAlarmStateInput = read(&bytes(text)).unwrap();
        assert_eq!(input.alarm_name.as_deref(), Some("a"));
        assert_eq!(input.state_value.as_deref(), Some("OK"));
        assert_eq!(input.state_reason.as_deref(), Some("r"));
    }

    #[test]
    fn numbers_of_every_width_and_texts_in_pieces_are_read() {
        for (value, expected) in [
            ("00", 0.0),
            ("18ff", 255.0),
            ("1901f4", 500.0),
            ("1a000f4240", 1_000_000.0),
            ("20", -1.0),
            ("f93e00", 1.5),
            ("f90001", 5.960_464_477_539_063e-8),
            ("fa47c35000", 100_000.0),
            ("fb3ff199999999999a", 1.1),
        ] {
            let text = format!("a1695468726573686f6c64{value}");
            let input: cloudwatch::PutMetricAlarmInput = read(&bytes(&text)).unwrap();
            assert_eq!(input.threshold, Some(expected), "{value}");
        }
        let pieces = "a169416c61726d4e616d657f61616162ff";
        let input: cloudwatch::PutMetricAlarmInput = read(&bytes(pieces)).unwrap();
        assert_eq!(input.alarm_name.as_deref(), Some("ab"));
    }

    #[test]
    fn a_moment_is_tag_1_and_reads_back() {
        let alarm = cloudwatch::MetricAlarm {
            state_updated_timestamp: Some(Timestamp::from_millis(1_707_741_897_056)),
            ..Default::default()
        };
        let out = written(&alarm);
        assert!(out.windows(2).any(|pair| pair == [0xc1, 0xfb]), "{out:x?}");
        assert_eq!(read::<cloudwatch::MetricAlarm>(&out), Ok(alarm));
    }

    #[test]
    fn unknown_and_null_members_are_skipped_and_wrong_types_refused() {
        // {"x": [1, {"y": undefined}], "AlarmName": null, "Period": 60}
        let text = "a361788201a16179f769416c61726d4e616d65f666506572696f64183c";
        let input: cloudwatch::PutMetricAlarmInput = read(&bytes(text)).unwrap();
        assert_eq!((input.alarm_name, input.period), (None, Some(60)));
        for text in [
            "",
            "a1",
            "80",
            "a166506572696f6461 31",
            "a166506572696f64f93e00",
            "bf",
            "a0a0",
            "a166506572696f641b0000000100000000",
            "a169416c61726d4e616d655a7fffffff61",
            "a169416c61726d4e616d6561ff",
        ] {
            assert!(
                read::<cloudwatch::PutMetricAlarmInput>(&bytes(text)).is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn an_error_names_its_shape() {
        let code = ErrorCode::sender("ResourceNotFound", 404);
        let body = error(
            &code.with("gone"),
            "com.amazonaws.cloudwatch#ResourceNotFound",
        );
        let text = String::from_utf8_lossy(&body).into_owned();
        assert!(
            text.contains("com.amazonaws.cloudwatch#ResourceNotFound"),
            "{text}"
        );
        assert_eq!(body[0], 0xa2);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(cluster in prop::option::of(".{0,300}"), count in prop::option::of(any::<i32>()), threshold in prop::option::of(any::<f64>().prop_filter("comparable", |n| !n.is_nan())), tags in prop::collection::vec((".{0,4}", ".{0,4}"), 0..30)) {
            let tags = tags.into_iter().map(|(key, value)| ecs::Tag { key: Some(key), value: Some(value) });
            let request = ecs::RunTaskRequest { cluster, count, tags: Some(tags.collect()), ..Default::default() };
            prop_assert_eq!(read::<ecs::RunTaskRequest>(&written(&request)), Ok(request));
            let alarm = cloudwatch::MetricAlarm { threshold, ..Default::default() };
            prop_assert_eq!(read::<cloudwatch::MetricAlarm>(&written(&alarm)), Ok(alarm));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read::<ecs::RegisterTaskDefinitionRequest>(&bytes);
        }

        #[test]
        fn deep_nesting_is_refused_and_does_not_overflow(depth in 65usize..50_000) {
            let mut bytes = vec![0xa1, 0x61, b'x'];
            bytes.extend(std::iter::repeat_n(0x81, depth));
            bytes.push(0);
            prop_assert!(read::<ecs::RunTaskRequest>(&bytes).is_err());
        }
    }
}
