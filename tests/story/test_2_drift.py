"""Second: rides take longer, the monitor notices, a new model is trained once, and the endpoint serves it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from cabstand.io import events
from cabstand.local.stack import tasks
from laptop import Laptop
from waiting import until

pytestmark = pytest.mark.story

NAME, LEDGER = "trip-duration", "monitoring/trip-duration/ledger"
SLOWER = 1.6
STEP = 6  # every sixth ride of a month


def slowed(shared: Path, first: int, days: int) -> bytes:
    """Return rides of February 2022, days later, each of which takes longer."""
    table = pq.read_table(shared / "data/green/green_tripdata_2022-02.parquet")
    table = table.take(list(range(first, table.num_rows, STEP)))
    begin, end = (table[f"lpep_{name}_datetime"] for name in ("pickup", "dropoff"))
    took = pc.multiply(pc.subtract(end, begin).cast(pa.int64()), SLOWER).cast(pa.int64(), safe=False)
    began = pc.add(begin, pa.scalar(days * 86_400_000_000, pa.duration("us")))
    times = {"pickup": began, "dropoff": pc.add(began, took.cast(pa.duration("us")))}
    for name, values in times.items():
        column = table.schema.get_field_index(f"lpep_{name}_datetime")
        table = table.set_column(column, table.schema.names[column], values)
    pq.write_table(table, content := io.BytesIO())
    return content.getvalue()


def ends_well(laptop: Laptop, family: str, number: int) -> bool:
    """Follow the task of a definition with a number, the oldest first, and print its log if it fails."""
    lines: list[str] = []
    ended = tasks.follow(laptop.state, laptop.tasks(family)[number]["id"], lines.append)
    if ended.exit_code != 0:
        print(ended, *lines[-20:], sep="\n")
    return ended.exit_code == 0


def read(laptop: Laptop, part: str) -> list[dict[str, Any]]:
    return [json.loads(body) for body in laptop.in_lake(f"{LEDGER}/{part}/").values()]


def champion(laptop: Laptop, key: str) -> str:
    found = laptop.ask_service("/v1/models", key=key).get("models", [])
    return next((str(one["champion"]["version"]) for one in found if one["problem"] == NAME), "")


def test_two_months_come_in_which_rides_take_longer(laptop: Laptop, shared: Path) -> None:
    for first, (month, days) in enumerate({"2022-03": 28, "2022-04": 59}.items()):
        source = laptop.put(f"{month}.parquet", slowed(shared, first, days))
        words = ["--dataset", "green", "--month", month, "--source", source]
        assert laptop.local("run", "pipeline", "--", "ingest", *words)["exit_code"] == 0


def test_the_monitor_asks_for_retraining(laptop: Laptop) -> None:
    laptop.local("fire", "daily-monitor")
    assert ends_well(laptop, "monitor", 0)
    [decision] = read(laptop, "decisions")
    print(decision["reason"])
    assert decision["action"] == "retrain"


def test_a_model_is_trained_once_for_an_event_that_comes_twice(laptop: Laptop) -> None:
    [decision] = read(laptop, "decisions")
    until(lambda: laptop.tasks("retrain"), 60, 0.5)
    detail = json.dumps({"problem": NAME, "key": decision["key"], "reason": decision["reason"]})
    event = {"Source": events.SOURCE, "DetailType": events.RETRAINING_WANTED, "Detail": detail}
    laptop.client("events").put_events(Entries=[event | {"EventBusName": "cabstand-dev"}])
    until(lambda: len(laptop.tasks("retrain")) == 2, 60, 0.5)
    assert all(ends_well(laptop, "retrain", number) for number in (0, 1))
    [outcome] = read(laptop, "outcomes")
    assert (outcome["decision"], outcome["decision_key"]) == ("promoted", decision["key"])
    assert outcome["holdout_months"] == ["2022-04"]


def test_the_endpoint_serves_the_new_model(stack: dict[str, Any], laptop: Laptop) -> None:
    [outcome] = read(laptop, "outcomes")
    until(lambda: champion(laptop, stack["key"]) == outcome["champion"] == outcome["model_version"], 120, 1)


def test_the_monitor_asks_no_second_time(laptop: Laptop) -> None:
    laptop.local("fire", "daily-monitor")
    assert ends_well(laptop, "monitor", 1)
    assert [one["action"] for one in read(laptop, "decisions")].count("retrain") == 1
    assert len(laptop.tasks("retrain")) == 2
