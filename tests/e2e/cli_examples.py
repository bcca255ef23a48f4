"""The commands that the AWS CLI's own documentation shows, as they are typed there."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import awscli
from botocore import xform_name

EXAMPLES = Path(awscli.__file__).parent / "examples"
ALLOW_LIST = Path(__file__).parents[2] / "crates" / "aws-api" / "operations.toml"


def served(service: str) -> list[str]:
    """The CLI's names of a service's operations that are served."""
    with ALLOW_LIST.open("rb") as file:
        return sorted(xform_name(one, "-") for one in tomllib.load(file)[service]["operations"])


def commands(service: str, name: str) -> list[list[str]]:
    """The arguments after the name, of each example of it; those for other shells than sh left out."""
    lines = (EXAMPLES / service / f"{name}.rst").read_text().splitlines()
    found, at = [], 0
    start = re.compile(rf"^\s+aws {service} {name}(\s|$)")
    while at < len(lines):
        if not start.match(lines[at]):
            at += 1
            continue
        text = lines[at].strip()
        at += 1
        while at < len(lines) and (_goes_on(text) or lines[at].strip().startswith("--")):
            text = f"{text.removesuffix(chr(92))} {lines[at].strip()}"
            at += 1
        if not text.split()[-1] in ("^", "`") and " ^ " not in text and " ` " not in text:
            found.append(shlex.split(text)[3:])
    return found


def _goes_on(text: str) -> bool:
    """It ends in a backslash, or within a quote."""
    if text.endswith(chr(92)):
        return True
    try:
        shlex.split(text)
        return False
    except ValueError:
        return True
