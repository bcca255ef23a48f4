"""CloudWatch as tests need it: clients of each protocol, and data of now."""

from __future__ import annotations

import copy
import datetime
import json
from typing import Any

import botocore.session
from botocore.config import Config

PROTOCOLS = ("json", "smithy-rpc-v2-cbor", "query")


def client(longshore: Any, protocol: str) -> Any:
    """Of botocore, made to speak this protocol of the three that the model offers."""
    session = botocore.session.get_session()
    loader = session.get_component("data_loader")
    load = loader.load_service_model

    def of_one_protocol(service: str, kind: str, *rest: Any, **more: Any) -> dict:
        model = load(service, kind, *rest, **more)
        if (service, kind) == ("cloudwatch", "service-2"):
            model = copy.deepcopy(model)
            model["metadata"] |= {"protocol": protocol, "protocols": [protocol]}
        return model

    loader.load_service_model = of_one_protocol
    key = json.loads((longshore.data / "keys" / "root.json").read_text())
    made = session.create_client(
        "cloudwatch", endpoint_url=longshore.url, region_name="us-east-1", config=Config(retries={"max_attempts": 2}),
        aws_access_key_id=key["access_key_id"], aws_secret_access_key=key["secret_access_key"])
    assert made.meta.service_model.resolved_protocol == protocol
    return made


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


def minute(before: int = 0) -> datetime.datetime:
    """The start of the running minute, or of one before it."""
    return now().replace(second=0, microsecond=0) - datetime.timedelta(minutes=before)


def datapoints(of: Any, namespace: str, name: str, dimensions: dict[str, str], *statistics: str, minutes: int = 10) -> list[dict]:
    """By minute, the oldest first."""
    found = of.get_metric_statistics(
        Namespace=namespace, MetricName=name, Dimensions=[{"Name": k, "Value": v} for k, v in dimensions.items()],
        StartTime=minute(minutes), EndTime=now() + datetime.timedelta(minutes=1), Period=60, Statistics=list(statistics))
    return sorted(found["Datapoints"], key=lambda one: one["Timestamp"])
