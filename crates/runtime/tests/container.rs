//! Real containers: start, output, exit codes, errors, limits. Needs root.

mod support;

use runtime::host::{ContainerRuntime, Phase};
use support::House;

#[tokio::test]
async fn a_program_runs_and_its_exit_code_and_output_are_known() {
    let house = House::new().await;
    let (exit, stdout, stderr) = house
        .run(house.script("echo out; echo err >&2; exit 7"))
        .await;
    assert_eq!(
        (exit.exit_code, exit.signal, exit.oom_killed),
        (Some(7), None, false)
    );
    assert_eq!((&*stdout, &*stderr), ("out\n", "err\n"));
    house.close().await;
}

#[tokio::test]
async fn a_missing_program_is_named_and_leaves_nothing() {
    let house = House::new().await;
    let spec = house.spec(&["foo"]);
    let dir = spec.dir.clone();
    let error = house.runtime.start(spec).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"exec: "foo": executable file not found in $PATH"#
    );
    assert_eq!(error.phase(), Phase::Start);
    assert_eq!(std::fs::read_dir(dir).unwrap().count(), 0);
    house.close().await;
}
