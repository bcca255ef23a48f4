use super::*;
use aws_types::Timestamp;
use proptest::prelude::*;

#[test]
fn a_payload_has_the_names_of_the_public_agent() {
    let eni = Eni {
        ec2_id: Some("eni-1".into()),
        ipv4_addresses: Some(vec![]),
        ..Default::default()
    };
    let container = Container {
        name: Some("web".into()),
        stop_timeout: Some(2),
        ..Default::default()
    };
    let message = PayloadMessage {
        seq_num: Some(4),
        generated_at: Some(Timestamp::from_millis(7)),
        tasks: Some(vec![Task {
            arn: Some("arn".into()),
            elastic_network_interfaces: Some(vec![eni]),
            containers: Some(vec![container]),
            cpu: Some(0.25),
            ..Default::default()
        }]),
        ..Default::default()
    };
    let frame = AcsMessage::Payload(message);
    let text = frame.to_text().unwrap();
    assert_eq!(
        text,
        r#"{"type":"PayloadMessage","message":{"generatedAt":7,"seqNum":4,"tasks":[{"arn":"arn","containers":[{"name":"web","stopTimeout":2}],"elasticNetworkInterfaces":[{"ec2Id":"eni-1","ipv4Addresses":[]}],"cpu":0.25}]}}"#
    );
    assert_eq!(AcsMessage::from_text(&text).unwrap(), frame);
}

#[test]
fn null_is_absent_and_unknown_is_skipped() {
    for text in [
        r#"{"type":"AckRequest","message":{"cluster":null,"messageId":"m","new":{"a":[1]}}}"#,
        r#"{"message":{"messageId":"m"},"more":1,"type":"AckRequest"}"#,
    ] {
        let ack = AckRequest {
            message_id: Some("m".into()),
            ..Default::default()
        };
        assert_eq!(AcsMessage::from_text(text).unwrap(), AcsMessage::Ack(ack));
    }
    let empty = AcsMessage::Heartbeat(HeartbeatMessage::default());
    assert_eq!(
        AcsMessage::from_text(r#"{"type":"HeartbeatMessage"}"#).unwrap(),
        empty
    );
    let unknown = AcsMessage::from_text(r#"{"type":"StageUpdateMessage","message":{}}"#).unwrap();
    assert_eq!(unknown, AcsMessage::Unknown("StageUpdateMessage".into()));
    assert!(AcsMessage::from_text(r#"{"InactiveInstanceException":"gone"}"#).is_err());
}

#[test]
fn a_telemetry_frame_is_read_with_and_without_its_headers() {
    let json = r#"{"type":"PublishHealthRequest","message":{"tasks":[{"taskArn":"t","containers":[{"containerName":"c","healthStatus":"HEALTHY","statusSince":1707741897.431}]}],"timestamp":1707741897.5}}"#;
    let bare = TcsMessage::from_text(json).unwrap();
    let TcsMessage::PublishHealth(health) = &bare else {
        panic!("{bare:?}")
    };
    assert_eq!(
        health.timestamp,
        Some(Timestamp::from_millis(1_707_741_897_500))
    );
    let signed = format!("Authorization: AWS4-HMAC-SHA256 x\r\nHost: h\r\n\r\n{json}");
    assert_eq!(TcsMessage::from_text(&signed).unwrap(), bare);
    assert_eq!(
        TcsMessage::from_text(&bare.to_text().unwrap()).unwrap(),
        bare
    );
}

#[test]
fn docker_texts_have_dockers_names() {
    let text = r#"{"CapAdd":["NET_ADMIN"],"ReadonlyRootfs":true,"Ulimits":[{"Name":"nofile","Soft":1,"Hard":2}],"ShmSize":67108864,"LogConfig":{"Type":"awslogs","Config":{"awslogs-group":"g"}}}"#;
    let host: HostConfig = serde_json::from_str(text).unwrap();
    assert_eq!(host.ulimits.as_ref().unwrap()[0].hard, Some(2));
    assert_eq!(
        host.log_config.as_ref().unwrap().r#type.as_deref(),
        Some("awslogs")
    );
    let again: HostConfig = serde_json::from_str(&serde_json::to_string(&host).unwrap()).unwrap();
    assert_eq!(again, host);
    let config: ContainerConfig =
        serde_json::from_str(r#"{"WorkingDir":"/","Healthcheck":{"StartPeriod":1000000000}}"#)
            .unwrap();
    assert_eq!(
        config.healthcheck.unwrap().start_period,
        Some(1_000_000_000)
    );
}

fn word() -> impl Strategy<Value = Option<String>> {
    prop::option::of(any::<String>())
}

fn payload() -> impl Strategy<Value = AcsMessage> {
    let container =
        (word(), word(), any::<Option<i64>>()).prop_map(|(name, image, stop_timeout)| Container {
            name,
            image,
            stop_timeout,
            ..Default::default()
        });
    let task = (word(), word(), prop::collection::vec(container, 0..3)).prop_map(
        |(arn, family, containers)| Task {
            arn,
            family,
            containers: Some(containers),
            ..Default::default()
        },
    );
    let parts = (
        word(),
        any::<Option<i64>>(),
        prop::collection::vec(task, 0..3),
    );
    parts.prop_map(|(message_id, seq_num, tasks)| {
        AcsMessage::Payload(PayloadMessage {
            message_id,
            seq_num,
            tasks: Some(tasks),
            ..Default::default()
        })
    })
}

fn small_frame() -> impl Strategy<Value = AcsMessage> {
    prop_oneof![
        (word(), word()).prop_map(|(cluster, message_id)| {
            AcsMessage::Ack(AckRequest {
                cluster,
                message_id,
                ..Default::default()
            })
        }),
        (word(), any::<Option<bool>>()).prop_map(|(message_id, healthy)| {
            AcsMessage::Heartbeat(HeartbeatMessage {
                message_id,
                healthy,
            })
        }),
    ]
}

proptest! {
    #[test]
    fn what_one_side_writes_the_other_reads(frame in prop_oneof![payload(), small_frame()]) {
        let text = frame.to_text().unwrap();
        prop_assert_eq!(AcsMessage::from_text(&text).unwrap(), frame);
    }

    #[test]
    fn published_metrics_are_read_as_written(
        arn in "\\PC{0,40}", sums in prop::collection::vec(0_i64..1 << 40, 0..4), fin: bool,
    ) {
        let container = |sum: &i64| ContainerMetric {
            container_name: Some("app".into()),
            cpu_stats_set: Some(CwStatsSet {
                sum: Some(*sum as f64 / 8.0),
                sample_count: Some(*sum),
                ..CwStatsSet::default()
            }),
            ..ContainerMetric::default()
        };
        let frame = TcsMessage::PublishMetrics(PublishMetricsRequest {
            metadata: Some(PublicationMetadata { fin: Some(fin), ..Default::default() }),
            task_metrics: Some(vec![TaskMetric {
                task_arn: Some(arn),
                container_metrics: Some(sums.iter().map(container).collect()),
                ..TaskMetric::default()
            }]),
            timestamp: Some(Timestamp::from_millis(1_700_000_000_123)),
        });
        let text = frame.to_text().unwrap();
        prop_assert_eq!(TcsMessage::from_text(&text).unwrap(), frame.clone());
        let signed = format!("Authorization: AWS4-HMAC-SHA256 x\r\nHost: h\r\n\r\n{text}");
        prop_assert_eq!(TcsMessage::from_text(&signed).unwrap(), frame);
    }

    #[test]
    fn no_text_makes_the_readers_panic(text in any::<String>()) {
        let _ = AcsMessage::from_text(&text);
        let _ = TcsMessage::from_text(&text);
    }

    #[test]
    fn a_known_type_with_any_message_is_read_or_refused(message in "[\\[\\]{}\",:a-z0-9]{0,30}") {
        for kind in ["PayloadMessage", "TaskManifestMessage", "PublishMetricsRequest"] {
            let text = format!(r#"{{"type":"{kind}","message":{message}}}"#);
            let _ = AcsMessage::from_text(&text);
            let _ = TcsMessage::from_text(&text);
        }
    }
}
