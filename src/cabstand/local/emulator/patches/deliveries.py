"""Log lines that a subscription sends to Firehose, and Firehose to S3: moto does so at once and without roles."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from cabstand.local.metrics import filters

_TIMESTAMP = re.compile(r"!\{timestamp:([^}]*)\}")
_FIELDS = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H"}


def log_deliveries() -> None:
    """CloudWatch Logs, Firehose: deliver what a subscription's pattern matches, below a prefix with its dates.

    moto delivers every line, and keeps `!{timestamp:...}` in the key as it stands.
    """
    from moto.firehose.models import FirehoseBackend
    from moto.logs.models import LogStream

    stock_send, stock_path = LogStream._send_log_events, FirehoseBackend._format_s3_object_path

    def send(self: Any, service: str, destination_arn: str, filter_name: str, log_events: list[dict[str, Any]]) -> None:
        matches = filters.matcher(self.log_group.subscription_filters[filter_name].filter_pattern or "")
        if chosen := [one for one in log_events if matches(one["message"])]:
            stock_send(self, service, destination_arn, filter_name, chosen)

    def path(delivery_stream_name: str, version_id: str, prefix: str) -> str:
        if not _TIMESTAMP.search(prefix):
            return str(stock_path(delivery_stream_name, version_id, prefix))
        now = datetime.now(UTC)
        return f"{_dated(prefix, now)}{delivery_stream_name}-{version_id}-{now:%Y-%m-%d-%H-%M-%S}-{uuid4()}"

    LogStream._send_log_events = send
    FirehoseBackend._format_s3_object_path = staticmethod(path)


def _dated(prefix: str, now: datetime) -> str:
    """Return a prefix with its timestamps written out; its formats are Java's."""

    def written(found: re.Match[str]) -> str:
        return now.strftime(re.sub("yyyy|MM|dd|HH", lambda field: _FIELDS[field[0]], found[1]))

    return _TIMESTAMP.sub(written, prefix)
