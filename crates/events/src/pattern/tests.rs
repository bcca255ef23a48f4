use super::*;
use proptest::prelude::*;
use serde_json::json;

fn matches(pattern: &Value, event: &Value) -> bool {
    Pattern::parse(&pattern.to_string()).unwrap().matches(event)
}

#[test]
fn each_operator_matches_what_the_guide_says() {
    for (pattern, yes, no) in [
        (
            json!({"a": ["x"]}),
            json!({"a": "x", "b": 1}),
            json!({"a": "X"}),
        ),
        (json!({"a": [1]}), json!({"a": 1.0}), json!({"a": "1"})),
        (json!({"a": [null]}), json!({"a": null}), json!({})),
        (
            json!({"a": [true]}),
            json!({"a": true}),
            json!({"a": "true"}),
        ),
        (
            json!({"a": ["x", "y"]}),
            json!({"a": "y"}),
            json!({"a": "z"}),
        ),
        (
            json!({"a": ["x"]}),
            json!({"a": ["z", "x"]}),
            json!({"a": []}),
        ),
        (
            json!({"a": [{"prefix": "ab"}]}),
            json!({"a": "abc"}),
            json!({"a": "ba"}),
        ),
        (
            json!({"a": [{"prefix": {"equals-ignore-case": "AB"}}]}),
            json!({"a": "aBc"}),
            json!({"a": "ba"}),
        ),
        (
            json!({"a": [{"suffix": ".png"}]}),
            json!({"a": "x.png"}),
            json!({"a": "x.PNG"}),
        ),
        (
            json!({"a": [{"suffix": {"equals-ignore-case": ".png"}}]}),
            json!({"a": "x.PNG"}),
            json!({"a": "png"}),
        ),
        (
            json!({"a": [{"equals-ignore-case": "Abc"}]}),
            json!({"a": "aBC"}),
            json!({"a": "ab"}),
        ),
        (
            json!({"a": [{"anything-but": "x"}]}),
            json!({"a": "y"}),
            json!({"a": "x"}),
        ),
        (
            json!({"a": [{"anything-but": "x"}]}),
            json!({"a": 1}),
            json!({}),
        ),
        (
            json!({"a": [{"anything-but": ["x", "y"]}]}),
            json!({"a": "z"}),
            json!({"a": "y"}),
        ),
        (
            json!({"a": [{"anything-but": [1, 2]}]}),
            json!({"a": 3}),
            json!({"a": 2}),
        ),
        (
            json!({"a": [{"anything-but": {"prefix": "x"}}]}),
            json!({"a": "yx"}),
            json!({"a": "xy"}),
        ),
        (
            json!({"a": [{"anything-but": {"prefix": ["x", "z"]}}]}),
            json!({"a": "yx"}),
            json!({"a": "zy"}),
        ),
        (
            json!({"a": [{"anything-but": {"suffix": "x"}}]}),
            json!({"a": "xy"}),
            json!({"a": "yx"}),
        ),
        (
            json!({"a": [{"anything-but": {"equals-ignore-case": ["x"]}}]}),
            json!({"a": "y"}),
            json!({"a": "X"}),
        ),
        (
            json!({"a": [{"anything-but": {"wildcard": "*x*"}}]}),
            json!({"a": "y"}),
            json!({"a": "axb"}),
        ),
        (
            json!({"a": [{"numeric": ["=", 5]}]}),
            json!({"a": 5.0}),
            json!({"a": "5"}),
        ),
        (
            json!({"a": [{"numeric": [">", 0, "<=", 5]}]}),
            json!({"a": 5}),
            json!({"a": 0}),
        ),
        (
            json!({"a": [{"numeric": ["<", 0]}]}),
            json!({"a": -0.5}),
            json!({"a": 0}),
        ),
        (
            json!({"a": [{"exists": true}]}),
            json!({"a": null}),
            json!({"b": 1}),
        ),
        (
            json!({"a": [{"exists": false}]}),
            json!({"b": 1}),
            json!({"a": 1}),
        ),
        (
            json!({"a": {"b": [{"exists": false}]}}),
            json!({}),
            json!({"a": {"b": 0}}),
        ),
        (
            json!({"a": [{"exists": false}, "x"]}),
            json!({"a": "x"}),
            json!({"a": "y"}),
        ),
        (
            json!({"a": [{"wildcard": "a*c"}]}),
            json!({"a": "abbc"}),
            json!({"a": "abb"}),
        ),
        (
            json!({"a": [{"cidr": "10.0.0.0/24"}]}),
            json!({"a": "10.0.0.255"}),
            json!({"a": "10.0.1.0"}),
        ),
        (
            json!({"a": [{"cidr": "2001:db8::/32"}]}),
            json!({"a": "2001:db8::1"}),
            json!({"a": "10.0.0.1"}),
        ),
        (
            json!({"a": {"b": ["x"]}}),
            json!({"a": {"b": "x"}}),
            json!({"a": "x"}),
        ),
        (
            json!({"$or": [{"a": ["x"]}, {"b": ["y"]}]}),
            json!({"b": "y"}),
            json!({"a": "y"}),
        ),
        (
            json!({"c": [1], "$or": [{"a": ["x"]}, {"b": ["y"]}]}),
            json!({"c": 1, "a": "x"}),
            json!({"a": "x"}),
        ),
        (
            json!({"d": {"$or": [{"a": [1]}, {"b": [2]}]}}),
            json!({"d": {"b": 2}}),
            json!({"d": {"a": 2}}),
        ),
    ] {
        assert!(matches(&pattern, &yes), "{pattern} takes {yes}");
        assert!(!matches(&pattern, &no), "{pattern} leaves {no}");
    }
}

#[test]
fn fields_of_different_elements_never_match_together() {
    let pattern = json!({"containers": {"name": ["app"], "exitCode": [1]}});
    let one = json!({"containers": [{"name": "app", "exitCode": 1}, {"name": "b", "exitCode": 0}]});
    let two = json!({"containers": [{"name": "app", "exitCode": 0}, {"name": "b", "exitCode": 1}]});
    assert!(matches(&pattern, &one));
    assert!(!matches(&pattern, &two));
}

#[test]
fn what_is_no_pattern_is_refused_with_its_reason() {
    for (text, reason) in [
        ("", "EOF"),
        ("[]", "Filter is not an object"),
        ("{}", "Empty objects are not allowed"),
        (r#"{"a": "x"}"#, r#""a" must be an object or an array"#),
        (r#"{"a": []}"#, "Empty arrays are not allowed"),
        (r#"{"a": {}}"#, "Empty objects are not allowed"),
        (
            r#"{"a": [["x"]]}"#,
            "Match value must be String, number, true, false, or null",
        ),
        (
            r#"{"a": [{"sounds-like": "x"}]}"#,
            "Unrecognized match type sounds-like",
        ),
        (
            r#"{"a": [{"prefix": 1}]}"#,
            "prefix match pattern must be a string",
        ),
        (
            r#"{"a": [{"prefix": "x", "suffix": "y"}]}"#,
            "Only one key allowed in match expression",
        ),
        (
            r#"{"a": [{"exists": "x"}]}"#,
            "exists match pattern must be either true or false.",
        ),
        (
            r#"{"a": [{"numeric": ["~", 1]}]}"#,
            "Unrecognized numeric range operator: ~",
        ),
        (
            r#"{"a": [{"numeric": [">", 5, "<", 1]}]}"#,
            "Bottom must be less than top",
        ),
        (
            r#"{"a": [{"numeric": [">", 6e9]}]}"#,
            "Value must be between",
        ),
        (
            r#"{"a": [{"anything-but": ["x", 1]}]}"#,
            "Inside anything-but list",
        ),
        (
            r#"{"a": [{"anything-but": {"numeric": [">", 1]}}]}"#,
            "Unsupported anything-but pattern: numeric",
        ),
        (
            r#"{"a": [{"wildcard": "a**b"}]}"#,
            "Consecutive wildcard characters",
        ),
        (r#"{"a": [{"cidr": "10.0.0.0/33"}]}"#, "Malformed CIDR"),
        (r#"{"$or": [{"a": [1]}]}"#, "Unrecognized match type a"),
    ] {
        let error = Pattern::parse(text).unwrap_err();
        assert!(error.contains(reason), "{text}: {error}");
    }
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        "[abc]{0,3}".prop_map(Value::from),
        (-9i64..9).prop_map(Value::from),
    ]
}

fn tree() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[xyz]", inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The pattern that asks for exactly what a value holds; `None` where it holds nothing.
fn asking_for(value: &Value) -> Option<Value> {
    match value {
        Value::Object(members) => {
            let asked: Map = members
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), asking_for(value)?)))
                .collect();
            (!asked.is_empty()).then_some(Value::Object(asked))
        }
        Value::Array(elements) => {
            let leaves: Vec<Value> = elements.iter().filter(|e| is_leaf(e)).cloned().collect();
            (!leaves.is_empty()).then_some(Value::Array(leaves))
        }
        leaf => Some(json!([leaf])),
    }
}

type Map = serde_json::Map<String, Value>;

proptest! {
    #[test]
    fn an_event_matches_the_pattern_made_of_it(event in prop::collection::btree_map("[xyz]", tree(), 1..4)) {
        let event = Value::Object(event.into_iter().collect());
        if let Some(pattern) = asking_for(&event) {
            prop_assert!(matches(&pattern, &event), "{pattern}");
        }
    }

    #[test]
    fn one_more_field_never_widens_and_or_never_narrows(event in tree(), a in leaf(), b in leaf()) {
        let one = json!({"x": [a]});
        let both = json!({"x": [a], "y": [b]});
        let either = json!({"$or": [{"x": [a]}, {"y": [b]}]});
        let other = json!({"y": [b]});
        prop_assert_eq!(matches(&both, &event), matches(&one, &event) && matches(&other, &event));
        prop_assert_eq!(matches(&either, &event), matches(&one, &event) || matches(&other, &event));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,60}") {
        let _ = Pattern::parse(&text);
    }
}
