"""`longshore state`: from the running server and from the file, out of one data directory and into another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Iterator

import pytest
from harness import Longshore
from test_api import ECS, raw


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Longshore]:
    """A second data directory, not running."""
    instance = Longshore(tmp_path / "other")
    yield instance
    instance.down("--purge")


def test_records_are_shown_by_the_running_server(longshore):
    longshore.ecs.create_cluster(clusterName="shown", tags=[{"key": "k", "value": "ü"}])
    export = longshore.run("state", "export").stdout
    head, *rows = lines(export)
    assert head["longshore_state"] == 1 and head["revision"] > 0
    row = next(row for row in rows if row["table"] == "ecs.clusters" and row["key"].endswith("/shown"))
    shown = longshore.run("state", "get", row["table"], row["key"]).stdout
    assert json.loads(shown) == row["record"]
    clusters = lines(longshore.run("state", "get", "ecs.clusters").stdout)
    assert clusters == [row for row in rows if row["table"] == "ecs.clusters"]


@pytest.mark.parametrize("arguments, words", [
    (("ecs.clusters", "000000000000/us-east-1/none"), "ecs.clusters has no record 000000000000/us-east-1/none"),
    (("ecs.clusters", "~zz"), "ecs.clusters has no record ~zz"),
    (("no.table",), "there is no table no.table"),
    (("no.table", "a"), "there is no table no.table"),
])
def test_what_is_missing_is_said_so_running_or_not(longshore, other, arguments, words):
    done = longshore.run("state", "get", *arguments, check=False)
    assert done.returncode == 1 and words in done.stderr and done.stdout == "", done
    head = json.dumps({"longshore_state": 1, "revision": 1}) + "\n"
    other.run("state", "import", input=head)
    done = other.run("state", "get", *arguments, check=False)
    assert done.returncode == 1 and words in done.stderr and done.stdout == "", done


def test_state_is_for_root_alone(longshore):
    host = json.loads((longshore.data / "keys" / "host.json").read_text())
    status, answer, _ = raw(longshore, f"{ECS}.ListClusters", b"{}", key=host["access_key_id"], secret=host["secret_access_key"])
    assert (status, answer["__type"]) == (400, "AccessDeniedException")


def test_an_export_moves_everything(fresh, other):
    longshore = fresh
    longshore.ecs.create_cluster(clusterName="moved", tags=[{"key": "k", "value": "v/ü"}])
    longshore.register("moved", {"name": "app", "environment": [{"name": "A", "value": "b"}]})
    task = longshore.run_to_end({"name": "app", "command": ["false"]})
    refused = longshore.run("state", "import", check=False, input="")
    assert refused.returncode == 1 and "an import needs it stopped" in refused.stderr
    longshore.down("--keep")

    export = longshore.run("state", "export").stdout
    assert longshore.run("state", "export").stdout == export
    rows = lines(export)[1:]
    assert {"ecs.clusters", "ecs.tasks", "ecs.task_definitions", "iam.access_keys"} <= {row["table"] for row in rows}
    row = next(row for row in rows if row["key"].endswith("/moved") and row["table"] == "ecs.clusters")
    assert json.loads(longshore.run("state", "get", row["table"], row["key"]).stdout) == row["record"]

    imported = other.run("state", "import", input=export)
    assert imported.stdout == f"{len(rows)} records imported\n"
    assert other.run("state", "export").stdout == export
    for again in (export, ""):
        refused = other.run("state", "import", input=again, check=False)
        assert refused.returncode == 1 and "the store is not empty: import into a new one" in refused.stderr
    assert other.run("state", "export").stdout == export

    other.up()
    assert json.loads((other.data / "keys" / "root.json").read_text()) == json.loads((longshore.data / "keys" / "root.json").read_text())
    found = other.ecs.describe_clusters(clusters=["moved"], include=["TAGS"])["clusters"][0]
    assert found["tags"] == [{"key": "k", "value": "v/ü"}]
    assert other.describe(task["taskArn"])["containers"][0]["exitCode"] == 1
    assert other.register("moved", {"name": "app"}).endswith("/moved:2")
    other.down()
    longshore.up()


@pytest.mark.parametrize("text, words", [
    ('{"longshore_state": 999, "revision": 1}\n', "newer"),
    ("", "line 1: the export is empty"),
    ("nonsense\n", "line 1: "),
    ('{"longshore_state": 1, "revision": 1}\n{"table": "no.table", "key": "a", "record": {}}\n', "line 2: "),
    ('{"longshore_state": 1, "revision": 1}\n{"table": "ecs.clusters", "key": "~zz", "record": {}}\n', "line 2: no key: ~zz"),
    ('{"longshore_state": 1, "revision": 1}\n{"table": "ecs.clusters", "key": "a/b/c", "record": {"nothing": 1}}\n', "line 2: "),
])
def test_an_import_that_cannot_be_read_writes_nothing(other, text, words):
    refused = other.run("state", "import", input=text, check=False)
    assert refused.returncode == 1 and words in refused.stderr, refused
    assert lines(other.run("state", "export").stdout)[1:] == []


def test_without_a_state_there_is_nothing_to_show(other):
    done = other.run("state", "export", check=False)
    assert done.returncode == 1 and "there is no state at" in done.stderr
