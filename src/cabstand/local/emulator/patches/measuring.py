"""CloudWatch measures on the emulator: metrics of log lines, percentiles, formulas, and alarms that AWS would take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from cabstand.errors import ConfigError
from cabstand.local.metrics import embedded, filters, queries


def metric_data() -> None:
    """CloudWatch: compute percentiles and metric math, and compare dimensions exactly.

    moto has neither; without dimensions in the query, it mixes all metrics of a name.
    """
    from moto.cloudwatch.models import CloudWatchBackend

    stock = CloudWatchBackend.get_metric_data

    def get_metric_data(
        self: Any, queries: list[dict[str, Any]], start_time: Any, end_time: Any, scan_by: str
    ) -> list[dict[str, Any]]:
        if any((query.get("Expression") or "").startswith("SELECT") for query in queries):
            return stock(self, queries, start_time, end_time, scan_by)  # type: ignore[no-any-return]
        return _results(self, queries, start_time, end_time, scan_by)

    CloudWatchBackend.get_metric_data = get_metric_data


def _results(backend: Any, wanted: list[dict[str, Any]], start: Any, end: Any, scan_by: str) -> list[dict[str, Any]]:
    from moto.cloudwatch.exceptions import ValidationError

    try:
        found = queries.results(wanted, _data(backend.get_all_metrics()), _aware(start), _aware(end))
    except ConfigError as error:
        raise ValidationError(str(error)) from None
    answers = []
    for query in wanted:
        if query.get("ReturnData", True):
            pairs = sorted(found[query["Id"]].items(), reverse=scan_by == "TimestampDescending")
            label = query.get("Label") or query["Id"]
            times, values = [time for time, _ in pairs], [value for _, value in pairs]
            answers.append(
                {"id": query["Id"], "label": label, "values": values, "timestamps": times, "status_code": "Complete"}
            )
    return answers


def _data(stored: Iterable[Any]) -> Iterator[queries.Datum]:
    for one in stored:
        key = (one.namespace, one.name, frozenset((each.name, each.value) for each in one.dimensions))
        time, unit = _aware(one.timestamp), one.unit or "None"
        if hasattr(one, "value"):
            yield queries.Datum(key, time, one.value, one.value, one.value, 1.0, unit)
        else:
            yield queries.Datum(key, time, one.min, one.max, one.sum, one.sample_count, unit)


def _aware(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def metric_filters() -> None:
    """CloudWatch Logs: make metrics of log lines, by metric filters and by metrics embedded in them.

    moto only stores the filters, and adds one more whenever one is changed.
    """
    from moto.logs.exceptions import InvalidParameterException
    from moto.logs.metric_filters import MetricFilters
    from moto.logs.models import LogsBackend

    stock_put, stock_add = LogsBackend.put_log_events, MetricFilters.add_filter

    def put_log_events(self: Any, log_group_name: str, log_stream_name: str, log_events: Any) -> Any:
        answer = stock_put(self, log_group_name, log_stream_name, log_events)
        used = [one for one in self.filters.metric_filters if one["logGroupName"] == log_group_name]
        for event in log_events:
            _measure(self, used, event)
        return answer

    def add_filter(self: Any, filter_name: str, filter_pattern: str, log_group_name: str, how: Any) -> None:
        try:
            filters.matcher(filter_pattern or "")
        except ConfigError as error:
            raise InvalidParameterException(str(error)) from None
        self.delete_filter(filter_name, log_group_name)
        stock_add(self, filter_name, filter_pattern, log_group_name, how)

    LogsBackend.put_log_events, MetricFilters.add_filter = put_log_events, add_filter


def _measure(logs: Any, used: list[Mapping[str, Any]], event: Mapping[str, Any]) -> None:
    from moto.cloudwatch.models import cloudwatch_backends

    made = [*embedded.datums(event["message"]), *(one for how in used for one in filters.datums(how, event["message"]))]
    time = datetime.fromtimestamp(event["timestamp"] / 1000, UTC).replace(tzinfo=None)
    for namespace, datum in made:
        backend = cloudwatch_backends[logs.account_id][logs.region_name]
        backend.put_metric_data(namespace, [{**datum, "Timestamp": time}])


def alarm_checks() -> None:
    """CloudWatch: refuse alarms that AWS refuses, and let a new one begin without data.

    moto takes more points to alarm than there are periods, periods of 45 seconds and the percentile 101; its alarms
    begin as OK, and forget their state when they are changed.
    """
    from moto.cloudwatch.exceptions import ValidationError
    from moto.cloudwatch.models import CloudWatchBackend

    stock = CloudWatchBackend.put_metric_alarm

    def put_metric_alarm(self: Any, **given: Any) -> Any:
        if problem := _refused(given):
            raise ValidationError(problem)
        before = self.alarms.get(given["name"])
        alarm = stock(self, **given)
        alarm.state_value = before.state_value if before else "INSUFFICIENT_DATA"
        return alarm

    CloudWatchBackend.put_metric_alarm = put_metric_alarm


def _refused(given: Mapping[str, Any]) -> str:
    """Return why AWS refuses an alarm, or nothing."""
    period, statistic = given.get("period"), given.get("extended_statistic")
    if (given.get("datapoints_to_alarm") or 0) > given["evaluation_periods"]:
        return "Datapoints to alarm must be less than or equal to evaluation periods"
    if period and period not in {10, 20, 30} and period % 60:
        return "Period must be 10, 20, 30 or a multiple of 60"
    if statistic and not queries.PERCENTILE.fullmatch(statistic):
        return f"The value {statistic} for parameter ExtendedStatistic is not supported."
    return ""
