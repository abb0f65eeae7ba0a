"""The served answers are the trained estimator's: ten thousand real rides of a later month, over HTTP and as events."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from bundles import point
from cabstand.api.aws import lambda_handler
from cabstand.io import bundles
from cabstand.jobs import ingest, train, zones
from cabstand.modelling import catalog, fit
from cabstand.settings import Settings
from lambda_events import event
from serving import PREDICT, make_key, serving

pytestmark = pytest.mark.slow
N_ROWS, BATCH, N_TRAINING, N_SINGLE = 10_000, 1_000, 15_000, 200
Ask = Callable[[str, Any], dict[str, Any]]


@dataclass(frozen=True)
class World:
    """A trained bundle in force, and what its estimator answers to real rows."""

    home: Path
    key: str
    version: str
    tolerance: float
    rows: list[dict[str, Any]]
    expected: dict[str, np.ndarray]


@pytest.fixture(scope="module")
def world(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    zones.run(settings, zones.Params(str(shared / "data" / "zones")))
    months = [month(settings, shared, name) for name in ("2023-01", "2023-02")]
    some = settings.home / "some.parquet"
    pq.write_table(pq.read_table(months[0]).slice(20_000, N_TRAINING), some)
    kept: list[fit.Trained] = []

    def keep(*given: Any) -> fit.Trained:
        kept.append(fit_train(*given))
        return kept[0]

    fit_train = fit.train
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "train", keep)
        done = train.run(settings, train.Params("trip-duration", (str(some),), track=False))
    point(settings.artifacts_uri, champion=done["model_version"])
    manifest = bundles.read_manifest(settings.artifacts_uri, "trip-duration", done["model_version"])
    problem = catalog.find("trip-duration")
    later = problem.load([Path(months[1])], {})
    some_later = later.take(np.sort(np.random.default_rng(0).choice(len(later), N_ROWS, replace=False)))
    with fit.one_thread():
        expected = kept[0].model.answer(problem.matrix(some_later.columns, kept[0].assets))
    names = [one.name for one in problem.fields]
    columns = [some_later.columns[name] for name in names]
    values = [column.astype(str) if column.dtype.kind == "M" else column for column in columns]
    rows = [dict(zip(names, each, strict=True)) for each in zip(*(one.tolist() for one in values), strict=True)]
    named = {"duration_min": expected["point"], "low": expected["low"], "high": expected["high"]}
    key = make_key(settings)
    return World(settings.home, key, done["model_version"], manifest.tolerance, rows, named)


def month(settings: Settings, shared: Path, name: str) -> str:
    source = shared / "data" / "green" / f"green_tripdata_{name}.parquet"
    return str(ingest.run(settings, ingest.Params("green", name, str(source)))["trips_uri"])


def compare(world: World, ask: Ask) -> None:
    """Every row in batches, some alone; each answer within the tolerance that the bundle states."""
    answers: list[dict[str, float]] = []
    for first in range(0, N_ROWS, BATCH):
        reply = ask(f"{PREDICT}/batch", {"rows": world.rows[first : first + BATCH]})
        assert (reply["version"], reply["errors"]) == (world.version, [])
        answers += reply["answers"]
    worst = {
        name: float(np.abs(np.array([one[name] for one in answers]) - expected).max())
        for name, expected in world.expected.items()
    }
    print(f"\n{len(answers):,} rows, tolerance {world.tolerance:.1e}, largest differences {worst}")
    assert len(answers) == N_ROWS
    assert max(worst.values()) <= world.tolerance
    for row in range(0, N_ROWS, N_ROWS // N_SINGLE):
        reply = ask(PREDICT, world.rows[row])["answer"]
        for name, expected in world.expected.items():
            assert abs(reply[name] - expected[row]) <= world.tolerance


@pytest.fixture
def over_http(world: World, tmp_path: Path) -> Iterator[Ask]:
    with (
        serving(world.home, tmp_path / "server.log") as server,
        closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)) as link,
    ):

        def ask(path: str, content: Any) -> dict[str, Any]:
            link.request("POST", path, json.dumps(content), {"x-api-key": world.key})
            answer = link.getresponse()
            assert answer.status == 200
            return dict(json.loads(answer.read()))

        yield ask


def test_over_http(world: World, over_http: Ask) -> None:
    compare(world, over_http)


def test_as_events_of_the_gateway(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CABSTAND_HOME", str(world.home))
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "cabstand")
    monkeypatch.setattr("cabstand.api.aws.configure", lambda level, **_: None)
    handler = lambda_handler()

    def ask(path: str, content: Any) -> dict[str, Any]:
        answer = handler(event("POST", path, content, **{"x-api-key": world.key}), None)
        assert answer["statusCode"] == 200
        return dict(json.loads(answer["body"]))

    compare(world, ask)
    lines = capsys.readouterr().out
    assert lines.count('"event":"prediction"') == N_ROWS + N_SINGLE
    assert world.key not in lines


def test_a_difference_would_be_seen(world: World, over_http: Ask) -> None:
    off = {name: values + 2 * world.tolerance for name, values in world.expected.items()}
    with pytest.raises(AssertionError):
        compare(World(world.home, world.key, world.version, world.tolerance, world.rows, off), over_http)
