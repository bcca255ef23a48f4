"""EC2's API as its tests ask it: filters, names, and what is refused."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError


def refused(call, **arguments) -> tuple[str, str]:
    """The code and the text of the error that a call has to end with."""
    with pytest.raises(ClientError) as error:
        call(**arguments)
    answer = error.value.response["Error"]
    return answer["Code"], answer["Message"]


def named(name: str, kind: str) -> list[dict]:
    return [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": name}]}]


def filters(**wanted) -> list[dict]:
    return [{"Name": name.replace("_", "-"), "Values": [value]} for name, value in wanted.items()]
