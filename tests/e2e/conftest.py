"""Fixtures: one Longshore for a module's tests, and fresh ones for those that kill it."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Iterator

import images
import leaks
import pytest
from harness import AWS_V1, AWS_V2, BINARY, Longshore
from hosts import Lan, Site


def pytest_configure() -> None:
    # A test that lacks something fails loudly; it never skips.
    if os.geteuid() != 0:
        raise pytest.UsageError("the end-to-end tests start containers: run them as root (make e2e)")
    for tool in (BINARY, AWS_V1, AWS_V2, images.BUSYBOX):
        if not Path(tool).exists():
            raise pytest.UsageError(f"{tool} is missing: `make test` installs and builds what the tests need")


@pytest.fixture(scope="session")
def busybox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return images.busybox(tmp_path_factory.mktemp("images") / "busybox.tar")


def _longshore(busybox: Path) -> Iterator[Longshore]:
    # Short: unix sockets lie below it.
    directory = Path(tempfile.mkdtemp(prefix="ls-e2e-"))
    instance = Longshore(directory)
    try:
        instance.up().load_image(busybox)
        yield instance
    finally:
        instance.down()
        left = leaks.present(instance.data)
        shutil.rmtree(directory, ignore_errors=True)
        assert not left, f"left behind after `longshore down`: {left}"


@pytest.fixture(scope="module")
def longshore(busybox: Path) -> Iterator[Longshore]:
    """Shared by the tests of a module."""
    yield from _longshore(busybox)


@pytest.fixture(scope="module")
def ec2(longshore: Longshore) -> Any:
    return longshore.client("ec2")


@pytest.fixture
def vpc(ec2: Any) -> Iterator[str]:
    """The id of an empty VPC, 10.41.0.0/16 and a range of IPv6; a test removes what it puts into it."""
    made = ec2.create_vpc(CidrBlock="10.41.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]["VpcId"]
    yield made
    ec2.delete_vpc(VpcId=made)


@pytest.fixture
def fresh(busybox: Path) -> Iterator[Longshore]:
    """Of one test's own, for tests that kill or restart it."""
    yield from _longshore(busybox)


@pytest.fixture
def lan() -> Iterator[Lan]:
    lan = Lan()
    try:
        yield lan
    finally:
        lan.remove()


@pytest.fixture
def site(lan: Lan, busybox: Path) -> Iterator[Site]:
    """A server and hosts of one test's own, in namespaces."""
    site = Site(lan, busybox)
    try:
        yield site
    finally:
        site.remove()
