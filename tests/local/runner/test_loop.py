"""The drift loop with real tasks: a decision is sent as an event twice, and `cabstand retrain` carries it out once."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import fast_problem
from cabstand.io import aws as sdk
from cabstand.io import events, ledger, pointer, synthetic
from cabstand.jobs import synth
from cabstand.jobs.retraining import asking
from cabstand.local.events import Deliveries
from cabstand.monitoring.decisions import Decision
from cabstand.settings import Settings, load
from cabstand.trips.synthetic.generator import Plan
from ecs_cluster import Cluster, running
from emulator import ecs_parameters, messages, queue, role

pytestmark = pytest.mark.slow
Clients = Callable[[str], Any]
NAME, FILE = fast_problem.PROBLEM.name, str(Path(fast_problem.__file__))
CODE = (Path(__file__).resolve().parents[3] / "infra/modules/batch/retraining.tf").read_text()
WORDS = ["retrain", "--newest", "2", "--dataset", "synth", "--min-samples", "40", "--no-track"]


def transformer() -> dict[str, Any]:
    """Return the input transformer of infra/, with the task's own command in it."""
    template = re.search(r"input_template = (\".*\")", CODE)
    paths = re.search(r"input_paths    = \{(.*)\}", CODE)
    assert template
    assert paths
    words = json.dumps(", ".join(map(json.dumps, WORDS)))[1:-1]
    pairs = dict(re.findall(r'(\w+) = "([^"]+)"', paths[1]))
    return {
        "InputPathsMap": pairs,
        "InputTemplate": json.loads(template[1].replace("${local.retraining_words}", words)),
    }


class Loop:
    """A lake, a bus, a rule that starts retrainings, and a queue that gets what came of them."""

    def __init__(self, aws: Clients, cluster: Cluster, given: dict[str, str]) -> None:
        self.aws, self.cluster, self.bus = aws, cluster, cluster.name
        environment = [{"name": name, "value": value} for name, value in given.items()]
        self.family = cluster.define(
            "retrain", 1024, 4096, entryPoint=["cabstand"], environment=environment, **cluster.logged()
        )
        aws("events").create_event_bus(Name=self.bus)
        made = {"task": self.family, "subnet": cluster.subnet, "group": cluster.group}
        arn = f"arn:aws:ecs:us-east-1:123456789012:cluster/{cluster.name}"
        start = {"Arn": arn, "RoleArn": role(aws, f"rule-{cluster.name}"), "EcsParameters": ecs_parameters(made)}
        self.told = queue(aws, f"told-{cluster.name}")
        self.rule(events.RETRAINING_WANTED, start | {"InputTransformer": transformer()})
        for outcome in (events.RETRAINING_DONE, events.RETRAINING_REFUSED):
            self.rule(outcome, {"Arn": self.told, "InputPath": "$.detail"})

    def rule(self, detail_type: str, target: dict[str, Any]) -> None:
        name, pattern = detail_type.replace(" ", "-"), {"source": [events.SOURCE], "detail-type": [detail_type]}
        self.aws("events").put_rule(Name=name, EventBusName=self.bus, EventPattern=json.dumps(pattern))
        self.aws("events").put_targets(Rule=name, EventBusName=self.bus, Targets=[{"Id": "target", **target}])

    def act(self, settings: Settings, decision: Decision, *, times: int) -> list[dict[str, Any]]:
        """Send the decision's event, let the tasks that it starts end, and return what is told of them."""
        for number in range(times):
            assert asking.act(settings, decision, new=number == 0)["event_id"]
        Deliveries(self.aws).tick()
        listed = self.aws("ecs").list_tasks(cluster=self.cluster.name, family=self.family)["taskArns"]
        assert len(listed) == times
        for arn in listed:
            task = self.cluster.ended(arn, 300)
            assert task["containers"][0]["exitCode"] == 0, "\n".join(self.cluster.lines(arn)[-12:])
        Deliveries(self.aws).tick()
        return [json.loads(one["Body"]) for one in messages(self.aws, self.told)]


@pytest.fixture
def settings(
    aws: Clients, cluster: Cluster, emulator_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Settings]:
    """Settings of this process on the emulator, in a lake with two months."""
    aws("s3").create_bucket(Bucket=f"loop-{cluster.name}")
    root = f"s3://loop-{cluster.name}"
    given = {"CABSTAND_LAKE": f"{root}/lake", "CABSTAND_ARTIFACTS": f"{root}/serving"}
    given |= {"CABSTAND_MONITOR_EVENT_BUS": cluster.name, "AWS_ENDPOINT_URL": emulator_url}
    given |= {"AWS_ACCESS_KEY_ID": "emulator", "AWS_SECRET_ACCESS_KEY": "emulator", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    sdk.client.cache_clear()
    for month in ("2024-01", "2024-02"):
        make(month)
    yield synthetic.settings_for(load(), True, "synth")
    sdk.client.cache_clear()


def make(month: str) -> None:
    synth.run(load(), synth.Params(Plan(trips=4000, era="zones", month=month)))


def decided(settings: Settings, key: str) -> Decision:
    """Put a decision to retrain into the ledger."""
    now = datetime.now(UTC)
    new = Decision(
        key, NAME, "", now, now, now, action="retrain", reason="bias exceeded", n=9000, breaches=2, data=True,
        worse=True,
    )  # fmt: skip
    return ledger.append(settings.lake_uri, NAME, key, lambda _: new)[0]


def test_a_decision_is_carried_out_once_and_a_refusal_leaves_the_champion(
    aws: Clients, cluster: Cluster, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"CABSTAND_LAKE": settings.lake_uri, "CABSTAND_ARTIFACTS": str(settings.artifacts_uri)}
    given |= {"CABSTAND_HOME": "/work", "CABSTAND_MONITOR_EVENT_BUS": cluster.name}
    loop = Loop(aws, cluster, given)
    # The event names the problem's file, as a catalog entry would be named: nothing else is made up.
    told = asking.detail_of
    monkeypatch.setattr(asking, "detail_of", lambda decision: told(decision) | {"problem": FILE})
    monkeypatch.setenv("PYTHONPATH", str(Path(FILE).parent), prepend=os.pathsep)  # tasks see what is searched
    with running(aws, tmp_path / "runner"):
        [finished] = loop.act(settings, decided(settings, "20240201-20240301-1"), times=2)
        assert (finished["decision"], finished["decision_key"]) == ("promoted", "20240201-20240301-1")
        current, _ = pointer.read(settings.artifacts_uri, NAME)
        assert current is not None
        assert current.champion == finished["champion"] == finished["model_version"]

        make("2024-03")
        [refused] = loop.act(settings, decided(settings, "20240301-20240401-2"), times=1)
        assert refused["decision"] == "refused"
        assert refused["reason"]
    assert pointer.read(settings.artifacts_uri, NAME)[0] == current
    outcomes = ledger.outcomes(settings.lake_uri, NAME)
    assert {key: [one["decision"] for one in found] for key, found in outcomes.items()} == {
        "20240201-20240301-1": ["promoted"],
        "20240301-20240401-2": ["refused"],
    }
