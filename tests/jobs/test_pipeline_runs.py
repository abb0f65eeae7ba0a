"""Which months a pipeline reads, and when it has work to do: new months and changed inputs, code or stores."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pytest_httpserver import HTTPServer

import trip_files
from cabstand import cli
from cabstand.errors import ConfigError, StorageError
from cabstand.io import lake, provenance, storage, zones
from cabstand.jobs import ingest, pipeline, synth
from cabstand.jobs.pipelining import months, steps
from cabstand.modelling import catalog
from cabstand.settings import Settings, load
from cabstand.trips.synthetic.generator import Plan

FAST = """
from dataclasses import replace

from cabstand.modelling.problems import trip_duration

PROBLEM = replace(trip_duration.PROBLEM, name="trip-duration-fast", coverage=None)
"""
TODAY = dt.date(2024, 6, 20)


def month_file(path: Path, month: str, n: int = 5) -> Path:
    start = dt.datetime.fromisoformat(f"{month}-10T12:00:00")
    times = {
        f"tpep_{end}_datetime": pa.array([start + dt.timedelta(seconds=i + later) for i in range(n)])
        for end, later in (("pickup", 0), ("dropoff", 600))
    }
    return trip_files.write_parquet(path, trip_files.zone_rows(n) | times)


def publish(server: HTTPServer, folder: Path, *published: str) -> None:
    """Serve these months of yellow trips, and 403 for others, as the TLC does."""
    server.clear()
    for month in published:
        data = month_file(folder / f"{month}.parquet", month).read_bytes()
        server.expect_request(f"/yellow_tripdata_{month}.parquet").respond_with_data(data)
    server.expect_request("/").respond_with_data(status=403)
    server.no_handler_status_code = 403


def newest(settings: Settings, n: int = 3, today: dt.date = TODAY, *, fetch: bool = True) -> tuple[str, ...]:
    return months.newest(settings, "yellow", n, today, fetch=fetch)


def test_the_newest_published_months_are_fetched(httpserver: HTTPServer, tmp_path: Path) -> None:
    settings = load(tlc_url=httpserver.url_for("/"))
    publish(httpserver, tmp_path, "2024-01", "2024-02", "2024-03", "2024-04")
    assert newest(settings) == ("2024-02", "2024-03", "2024-04")
    assert months.complete(settings, "yellow") == ["2024-02", "2024-03", "2024-04"]
    publish(httpserver, tmp_path, "2024-05")  # a month later; the others need no download
    assert newest(settings, today=dt.date(2024, 7, 20)) == ("2024-03", "2024-04", "2024-05")
    assert newest(settings, today=dt.date(2024, 8, 20)) == ("2024-03", "2024-04", "2024-05")  # nothing new yet
    assert newest(settings, today=dt.date(2030, 1, 1)) == ("2024-03", "2024-04", "2024-05")


def test_a_month_that_is_not_over_or_not_complete_is_left_out(tmp_path: Path) -> None:
    settings = load()
    for month in ("2023-12", "2024-04", "2024-05", "2024-06"):
        ingest.run(settings, ingest.Params("yellow", month, source=str(month_file(tmp_path / month, month))))
    assert newest(settings, 2, fetch=False) == ("2024-04", "2024-05")
    killed = lake.Month(settings.lake_uri, "yellow", "2024-05").manifest_uri
    storage.write(killed, json.dumps({"schema_version": 1, "state": "publishing"}).encode())
    assert newest(settings, 2, fetch=False) == ("2023-12", "2024-04")
    with pytest.raises(ConfigError, match="2 complete months of yellow, not 3"):
        newest(settings, fetch=False)


def test_a_publisher_that_does_not_answer_is_an_error(tmp_path: Path) -> None:
    """Otherwise a schedule would repeat old months for ever and never fail."""
    settings = load(tlc_url="http://127.0.0.1:9", download_attempts=1)
    ingest.run(settings, ingest.Params("yellow", "2024-01", source=str(month_file(tmp_path / "x", "2024-01"))))
    with pytest.raises(StorageError, match="--no-fetch takes the months in the lake"):
        newest(settings, 1)
    assert newest(settings, 1, fetch=False) == ("2024-01",)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Put steps that only note the months they run with in the place of the real ones."""
    ran: list[tuple[str, ...]] = []
    results: dict[str, dict[str, Any]] = {
        "ingest": {},
        "cluster": {"hotspots_uri": "h"},
        "train": {"model_version": "m"},
        "publish": {"decision": "promoted", "reason": "better"},
        "report": {"report_uri": "r"},
    }

    def step(name: str) -> Callable[..., dict[str, Any]]:
        def work(_: Settings, params: pipeline.Params, __: object) -> dict[str, Any]:
            if name == "train":
                ran.append(params.months + params.holdout_months)
            return results[name]

        return work

    monkeypatch.setattr(pipeline, "STEPS", {name: step(name) for name in results})
    return ran


def make(settings: Settings, *made: str, seed: int = 1) -> None:
    for month in made:
        synth.run(settings, synth.Params(Plan(trips=300, era="zones", month=month, seed=seed)))


def test_a_schedule_does_new_work_when_there_is_a_new_month(
    quick: list[tuple[str, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    settings = load()
    answers = []
    for made in (("2024-01", "2024-02", "2024-03"), (), ("2024-04",), ()):
        make(settings, *made)
        assert cli.run(["pipeline", "--dataset", "synth", "--no-track"]) == 0
        answers.append(json.loads(capsys.readouterr().out.splitlines()[-1]))
    assert quick == [("2024-01", "2024-02", "2024-03"), ("2024-02", "2024-03", "2024-04")]
    assert [one["repeated"] for one in answers] == [False, True, False, True]
    assert (answers[2]["months"], answers[2]["holdout_months"]) == (["2024-02", "2024-03"], ["2024-04"])
    assert len({one["run_key"] for one in answers}) == 2


def test_a_run_that_was_cut_short_is_resumed_and_not_repeated(
    quick: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, params = load(), pipeline.Params("synth", newest=1, track=False)
    make(settings, "2024-01")
    with monkeypatch.context() as patch:
        patch.setitem(pipeline.STEPS, "report", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            pipeline.run(settings, params)
    assert [pipeline.run(settings, params)["repeated"] for _ in range(2)] == [False, True]
    assert len(quick) == 1
    assert pipeline.run(settings, pipeline.Params("synth", newest=1, track=False, again=True))["repeated"] is False
    assert len(quick) == 2


def test_step_by_step_it_is_the_same_run(quick: list[tuple[str, ...]], capsys: pytest.CaptureFixture[str]) -> None:
    make(load(), "2024-01")
    command, answers = ["pipeline", "--dataset", "synth", "--newest", "1", "--no-track"], []
    for words in (*(["--until", name] for name in pipeline.STEPS), []):
        assert cli.run([*command, *words]) == 0
        answers.append(json.loads(capsys.readouterr().out.splitlines()[-1]))
    assert len({one["run_key"] for one in answers}) == len(quick) == 1
    assert [one.get("step") for one in answers] == [*pipeline.STEPS, None]
    assert answers[-1]["repeated"]
    assert {step["attempts"] for step in answers[-1]["steps"].values()} == {1}
    assert cli.run([*command, "--until", "trian"]) == 2
    assert "no step 'trian' (did you mean train?)" in capsys.readouterr().err


def test_results_and_run_are_published_on_the_site(
    quick: list[tuple[str, ...]], bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task's own folder is gone when the next run asks for what an earlier one wrote."""
    settings, params = load(site=f"s3://{bucket}"), pipeline.Params("synth", newest=1, track=False)
    make(settings, "2024-01")
    monkeypatch.setitem(pipeline.STEPS, "ingest", steps.STEPS["ingest"])
    monkeypatch.setitem(pipeline.STEPS, "cluster", steps.STEPS["cluster"])
    fake = pipeline.STEPS["train"]
    monkeypatch.setitem(pipeline.STEPS, "train", lambda *args: fake(*args) | {"metrics": {}})
    published = pipeline.STEPS["publish"]
    monkeypatch.setitem(pipeline.STEPS, "publish", lambda *args: published(*args) | {"champion": "m"})
    monkeypatch.setitem(pipeline.STEPS, "report", steps.STEPS["report"])
    first = pipeline.run(settings, params)
    version = first["site_uri"].removesuffix("/index.html")
    assert b"Synthetic data" in storage.read(first["site_uri"])
    assert storage.read(f"{version}/run.html") == storage.read(first["run_page_uri"])
    index = storage.read(f"s3://{bucket}/index.html").decode()
    assert f'href="{version.removeprefix(f"s3://{bucket}/")}/run.html"' in index
    assert pipeline.run(settings, params)["site_uri"] == first["site_uri"]
    assert storage.read(f"s3://{bucket}/index.html").decode() == index  # nothing new, nothing new there
    assert pipeline.run(settings, replace(params, again=True))["site_uri"] != first["site_uri"]
    assert len([uri for uri in storage.list_under(f"s3://{bucket}/versions") if uri.endswith("index.html")]) == 2


def test_the_key_holds_all_that_decides_the_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, problem = month_file(tmp_path / "x.parquet", "2024-01"), tmp_path / "fast.py"
    problem.write_text(FAST)
    table = zones.table_uri(load().lake_uri)
    storage.write(table, b"zones")

    def key(changes: dict[str, Any] | None = None, **settings: Any) -> str:
        given = {"months": ("2024-01",), "sources": (str(source),), "problem": str(problem), "dry_run": True}
        found = pipeline.run(load(**settings), pipeline.Params("yellow", **(given | (changes or {}))))["run_key"]
        assert found
        return str(found)

    first = key()
    others = [
        key(artifacts=str(tmp_path / "other")),
        key(gate_min_gain=0.1),
        key(gate_confidence=0.9),
        key({"seed": 1}),
        key({"eps_m": 60.0}),
        key({"problem": "trip-duration"}),
    ]
    problem.write_text(FAST + "\n# changed\n")
    others.append(key())
    problem.write_text(FAST)
    storage.write(table, b"other zones")
    others.append(key())
    storage.write(table, b"zones")
    with monkeypatch.context() as patch:
        patch.setattr(provenance, "code_version", lambda: "other")
        others.append(key())
    data = source.read_bytes()
    month_file(source, "2024-01", n=6)
    others.append(key())
    source.write_bytes(data)
    assert len({first, *others}) == len(others) + 1
    # What does not decide it: where a file lies, and how a path is written.
    copy = tmp_path / "copy.parquet"
    copy.write_bytes(data)
    spelled = tmp_path / "x" / ".." / "fast.py"
    (tmp_path / "x").mkdir()
    assert {key(), key({"sources": (str(copy),)}), key({"problem": str(spelled)}), key({"again": True})} == {first}


def test_a_month_that_was_made_again_is_new_work(quick: list[tuple[str, ...]]) -> None:
    settings, params = load(), pipeline.Params("synth", ("2024-01",), track=False)
    make(settings, "2024-01")
    first = pipeline.run(settings, params)
    make(settings, "2024-01", seed=2)
    assert pipeline.run(settings, params)["run_key"] != first["run_key"]
    assert len(quick) == 2


def test_a_plan_downloads_nothing_and_knows_no_key_yet(httpserver: HTTPServer) -> None:
    settings = load(tlc_url=httpserver.url_for("/"), zones_url=httpserver.url_for("/"))
    planned = pipeline.run(settings, pipeline.Params("yellow", ("2024-01",), dry_run=True))
    assert planned["run_key"] is None
    assert not httpserver.log
    assert not Path(settings.lake_uri).exists()


def test_a_package_s_own_files_decide_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A problem of an installed package is as much its code as a file is."""
    package, told = tmp_path / "town_trips", tmp_path / "town_trips-1.0.dist-info"
    package.mkdir()
    told.mkdir()
    (package / "__init__.py").write_text(FAST)
    (package / "rules.py").write_text("LIMIT = 1\n")
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: town-trips\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text("[cabstand.problems]\ntown-trip-duration = town_trips:PROBLEM\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = provenance.sha256_files(catalog.own_files("town-trip-duration"))
    (package / "rules.py").write_text("LIMIT = 2\n")
    assert len(catalog.own_files("town-trip-duration")) == 2
    assert provenance.sha256_files(catalog.own_files("town-trip-duration")) != before
    assert catalog.own_files("iris") == []
    assert provenance.sha256_files([]) == ""
