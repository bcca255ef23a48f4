//! What is exported can be imported, and nothing else can.

#![allow(dead_code)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use store::{ImportError, MemoryStore, Store, StoreError, Txn, World, export, get, import};
use support::{NOTES, ctx, note, schema};

fn exported() -> String {
    let (state, _guard) = store::start(Box::new(MemoryStore::default()), schema()).unwrap();
    state
        .submit_blocking(ctx(), |txn, _| {
            txn.put(&NOTES, note("a/b", "first\nline"));
            txn.put(&NOTES, note("", "no name"));
            Ok(())
        })
        .unwrap();
    let mut text = Vec::new();
    export(&state.snapshot(), &mut text).unwrap();
    assert_eq!(
        get(&state.snapshot(), "test.notes", "a%2fb").unwrap()["text"],
        "first\nline"
    );
    assert_eq!(get(&state.snapshot(), "test.notes", "nobody"), None);
    assert_eq!(get(&state.snapshot(), "no.table", "a"), None);
    String::from_utf8(text).unwrap()
}

#[test]
fn an_import_gives_back_what_was_exported() {
    let text = exported();
    let mut store = MemoryStore::default();
    let rows = import(&mut store, &schema(), &mut text.as_bytes()).unwrap();
    assert_eq!(rows, 2);
    let world = store.load(&schema()).unwrap();
    let mut again = Vec::new();
    export(&world, &mut again).unwrap();
    assert_eq!(String::from_utf8(again).unwrap(), text);

    let error = import(&mut store, &schema(), &mut text.as_bytes()).unwrap_err();
    assert!(matches!(error, ImportError::NotEmpty));
}

#[test]
fn two_worlds_have_the_same_rows_whoever_made_them() {
    let world = |text: &str| {
        let mut txn = Txn::new(World::empty(&schema()));
        txn.put(&NOTES, note("a/b", text));
        txn.finish().0
    };
    let one = world("one");
    assert!(one.has_rows_of(&one.clone()));
    assert!(one.has_rows_of(&world("one")));
    assert!(!one.has_rows_of(&world("other")));
    assert!(!one.has_rows_of(&World::empty(&schema())));
}

#[test]
fn a_wrong_line_is_named_and_nothing_is_written() {
    let good = exported();
    for (bad, line) in [
        (String::new(), 1),
        ("{}".into(), 1),
        (good.replace("test.notes", "test.unknown"), 2),
        (good.replace("\"text\"", "\"other\""), 2),
        (good.replace("a%2fb", "other"), 3),
        (format!("{good}{{"), 4),
    ] {
        let mut store = MemoryStore::default();
        match import(&mut store, &schema(), &mut bad.as_bytes()) {
            Err(ImportError::Line { line: found, .. }) => assert_eq!(found, line, "{bad}"),
            other => panic!("{other:?} for {bad}"),
        }
        assert_eq!(store.load(&schema()).unwrap().count(&NOTES), 0);
    }
}

#[test]
fn an_export_of_a_newer_format_is_refused() {
    let newer = exported().replace("\"longshore_state\":1", "\"longshore_state\":2");
    let error = import(
        &mut MemoryStore::default(),
        &schema(),
        &mut newer.as_bytes(),
    )
    .unwrap_err();
    assert!(matches!(
        error,
        ImportError::Store(StoreError::NewerFormat { found: 2, known: 1 })
    ));
}
