"""A workflow's run: retries, time-outs, resumption, its audit trail and its page."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pytest_httpserver import HTTPServer

from cabstand import cli
from cabstand.errors import ConfigError, ConflictError, DataError, NothingToDo, TaskError
from cabstand.io import runs, tracing, tracking
from cabstand.io.journal import claimed
from cabstand.jobs import runs as shown
from cabstand.settings import load
from cabstand.workflows import attempts, execution
from cabstand.workflows.execution import Params
from otlp import received, trace_ids
from waiting import until

Write = Callable[..., Path]


@pytest.fixture
def workflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a workflow `own` with a step for each program, in order, and return its file."""
    program = "import runpy, sys; runpy.run_path(sys.argv[sys.argv.index('--program') + 1])"
    monkeypatch.setattr(attempts, "PROGRAM", program)

    def write(timeout_min: float = 1, n_attempts: int = 3, **programs: str) -> Path:
        steps = []
        for name, text in programs.items():
            (tmp_path / f"{name}.py").write_text(text)
            step = {"name": name, "job": "job", "with": {"program": str(tmp_path / f"{name}.py")}}
            steps.append(step | {"timeout_min": timeout_min, "attempts": n_attempts, "retry_wait_s": 0.01})
        found = {"description": "x", "schedule": "rate(1 day)", "task": "job", "steps": steps}
        path = tmp_path / "own.yaml"
        path.write_text(yaml.safe_dump({"workflows": {"own": found}}))
        return path

    return write


GOOD = 'print("{}")'
IDLE = """print('{"nothing_to_do": "no trips yet"}')"""
FAILS = 'import sys; print("error: x: it rains (wait)", file=sys.stderr); sys.exit(1)'
REFUSES = 'import sys; print("error: x: not a month", file=sys.stderr); sys.exit(2)'


def flaky(folder: Path, times: int) -> str:
    """A program that fails this many times, and then works."""
    return f"""
import pathlib, sys
count = pathlib.Path({str(folder / "count")!r})
n = int(count.read_text()) if count.exists() else 0
count.write_text(str(n + 1))
if n < {times}:
    sys.exit("error: x: it rains")
print('{{"n": %d}}' % n)
"""


def go(file: Path, **more: Any) -> dict[str, Any]:
    return execution.run(load(), Params("own", file=file, track=False, **more))


def manifest() -> dict[str, Any]:
    [path] = Path(load().lake_uri).glob("runs/*/manifest.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def events() -> list[tuple[str, str]]:
    [path] = Path(load().lake_uri).glob("runs/*/audit.jsonl")
    return [(one["step"], one["event"]) for one in map(json.loads, path.read_text().splitlines())]


def test_a_step_that_fails_twice_is_tried_again_and_works(workflow: Write, tmp_path: Path) -> None:
    done = go(workflow(first=flaky(tmp_path, 2), second=GOOD))
    assert done["results"] == {"first": {"n": 2}, "second": {}}
    assert {name: step["attempts"] for name, step in done["steps"].items()} == {"first": 3, "second": 1}
    assert [event for step, event in events() if step == "first"] == ["started", "failed"] * 2 + ["started", "done"]
    [run] = runs.listed(load().lake_uri)
    assert (run.state, run.retries, run.name) == ("done", 2, "own")


def test_a_step_that_goes_on_failing_ends_the_run_with_its_own_words(workflow: Write) -> None:
    file = workflow(first=FAILS, second=GOOD)
    with pytest.raises(TaskError, match=r"^own, step first: x: it rains \(wait\)$"):
        go(file)
    assert manifest()["steps"]["first"] | {"attempts": 3, "status": "failed"} == manifest()["steps"]["first"]
    assert "it rains" in next(Path(load().lake_uri).glob("runs/*/run.html")).read_text()


def test_wrong_input_is_not_tried_again(workflow: Write) -> None:
    with pytest.raises(DataError, match="not a month"):
        go(workflow(first=REFUSES))
    assert manifest()["steps"]["first"]["attempts"] == 1


def test_a_failed_run_goes_on_with_the_step_that_failed(workflow: Write, tmp_path: Path) -> None:
    file = workflow(first=GOOD, second=flaky(tmp_path, 3))
    with pytest.raises(TaskError):
        go(file)
    done = go(file)
    assert {name: step["attempts"] for name, step in done["steps"].items()} == {"first": 1, "second": 4}
    assert len(runs.listed(load().lake_uri)) == 1
    assert go(file)["run_key"] != done["run_key"]  # a run that is done is not taken up again
    assert go(file, again=True)["run_key"] not in {done["run_key"], None}


def test_a_firing_that_is_delivered_twice_runs_once(workflow: Write) -> None:
    file, when = workflow(first=GOOD), "2026-01-02T11:00:00Z"
    first, second = go(file, scheduled=when), go(file, scheduled=when)
    assert (first["repeated"], second["repeated"]) == (False, True)
    assert first["run_key"] == second["run_key"] != go(file, scheduled="2026-01-03T11:00:00Z")["run_key"]


def test_a_step_that_takes_too_long_is_ended_with_all_that_it_started(workflow: Write, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    stuck = f"""
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open({str(pids)!r}, "w").write(f"{{os.getpid()}} {{child.pid}}")
time.sleep(600)
"""
    file = workflow(timeout_min=0.02, n_attempts=1, first=stuck)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attempts, "GRACE_S", 0.1)
        with pytest.raises(TaskError, match=r"^own, step first: took longer than 0\.02 minutes and was ended$"):
            go(file)
    assert not [pid for pid in pids.read_text().split() if alive(int(pid))]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_what_has_nothing_to_do_is_no_fault_and_runs_later(workflow: Write, tmp_path: Path) -> None:
    file = workflow(first=IDLE, second=IDLE)
    with pytest.raises(NothingToDo, match="no trips yet"):
        go(file)
    assert runs.listed(load().lake_uri)[0].state == "nothing to do"
    assert cli.run(["workflow", "run", "own", "--file", str(file), "--no-track"]) == 0
    for name in ("first", "second"):
        (tmp_path / f"{name}.py").write_text(GOOD)
    assert go(file)["results"] == {"first": {}, "second": {}}
    assert len(runs.listed(load().lake_uri)) == 1


@pytest.mark.parametrize("idle", ["first", "second"])
def test_a_step_with_nothing_to_do_keeps_no_other_from_its_work(idle: str, workflow: Write) -> None:
    other = {"first": "second", "second": "first"}[idle]
    file = workflow(**{name: IDLE if name == idle else GOOD for name in ("first", "second")})
    assert go(file)["results"] == {other: {}}
    assert [run.state for run in runs.listed(load().lake_uri)] == ["done"]
    go(file)
    assert len(runs.listed(load().lake_uri)) == 2


@pytest.mark.parametrize(
    ("program", "what"),
    [
        ("print('hello')", "ended without a result"),
        ("pass", "ended without a result"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "was ended by SIGKILL"),
        ("import sys; sys.exit(7)", "exit code 7"),
    ],
)
def test_a_strange_end_is_one_line(program: str, what: str, workflow: Write) -> None:
    with pytest.raises(TaskError, match=f"^own, step first: {what}$"):
        go(workflow(n_attempts=1, first=program))


def test_what_a_step_read_and_wrote_is_on_record(workflow: Write, tmp_path: Path) -> None:
    written, sha256 = tmp_path / "out.bin", hashlib.sha256(b"x").hexdigest()
    answer = {"report_uri": str(written), "none_uri": "", "inputs": [{"uri": "in", "sha256": "9f" * 32}]}
    program = f"open({str(written)!r}, 'w').write('x'); print({json.dumps(answer)!r})"
    go(workflow(first=f"import sys; print('working', file=sys.stderr); {program}"))
    step = manifest()["steps"]["first"]
    assert step["inputs"] == answer["inputs"]
    assert step["outputs"] == [{"uri": str(written), "sha256": sha256}]
    assert step["log_tail"] == ["working"]
    assert Path(step["log_uri"]).read_text() == "working\n"
    assert manifest()["code_version"].startswith("0.1.0+")
    [audit] = Path(load().lake_uri).glob("runs/*/audit.jsonl")
    [done] = [one for one in map(json.loads, audit.read_text().splitlines()) if one["event"] == "done"]
    assert (done["inputs"], done["outputs"]) == (step["inputs"], step["outputs"])


def test_a_run_is_compared_with_the_one_before(workflow: Write, tmp_path: Path) -> None:
    source = tmp_path / "in"
    program = f"""
import json
print(json.dumps({{"inputs": [{{"uri": "in", "sha256": open({str(source)!r}).read()}}]}}))
"""
    file, keys = workflow(first=program), []
    for content in ("a", "a", "b"):
        source.write_text(content * 64)
        keys.append(go(file, again=True)["run_key"])
    first, same, changed = (shown.show(load(), key) for key in keys)
    assert (first["compared_with"], first["compared"]) == (None, [])
    assert same["compared_with"] == keys[0]
    assert [one["inputs"] for one in same["compared"]] == [[]]
    assert [one["inputs"] for one in changed["compared"]] == [[{"uri": "in", "difference": "changed"}]]
    page = Path(changed["run_page_uri"]).read_text()
    assert keys[1] in page
    assert "changed: <code>in</code>" in page


def test_the_run_ends_with_one_line_of_its_own_in_the_log(
    workflow: Write, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The alarms read it: an attempt that failed and was repeated is no failed job."""
    monkeypatch.setenv("CABSTAND_LOG_JSON", "true")
    line = json.dumps({"event": "job_finished", "status": "failed"})
    file = workflow(first=f"import sys; print({line!r}, file=sys.stderr)" + flaky(tmp_path, 1))
    assert cli.run(["workflow", "run", "own", "--file", str(file), "--no-track"]) == 0
    ends = [json.loads(one) for one in capfd.readouterr().err.splitlines() if "job_finished" in one]
    assert [(one["job"], one["status"]) for one in ends] == [("workflow", "succeeded")]


def test_runs_are_listed_and_filtered(workflow: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = go(workflow(first=GOOD))["run_key"]
    with pytest.raises(TaskError):
        go(workflow(first=FAILS), again=True)

    def listed(*words: str) -> list[dict[str, Any]]:
        capsys.readouterr()
        assert cli.run(["runs", *words, "--json"]) == 0
        found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["runs"]
        return found

    assert [one["state"] for one in listed()] == ["failed", "done"]  # newest first
    assert [one["key"] for one in listed("--state", "done")] == [good]
    assert [one["state"] for one in listed("--limit", "1")] == ["failed"]
    assert listed("--workflow", "other") == listed("--since", "2999-01-01") == []
    assert cli.run(["runs", "--state", "broken"]) == 2
    assert cli.run(["runs", "show", good[:-4]]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["key"] == good
    assert cli.run(["runs", "show", "own-"]) == 2
    assert "2 runs begin with 'own-'" in capsys.readouterr().err
    assert cli.run(["runs", "page", "--out", str(tmp_path / "pages")]) == 0
    index = (tmp_path / "pages/index.html").read_text()
    assert f'<a href="{good}.html">' in index
    assert (tmp_path / "pages" / f"{good}.html").exists()
    with pytest.raises(ConfigError, match="no run 'none'"):
        shown.show(load(), "none")


CHILD = """
import sys
from collections.abc import Callable
from pathlib import Path
from cabstand.settings import load
from cabstand.workflows import attempts, execution
attempts.PROGRAM = sys.argv[2]
execution.run(load(), execution.Params("own", file=Path(sys.argv[1]), track=False))
"""


def waits(folder: Path, name: str) -> str:
    """A program that says who it is, and is stuck until it is allowed to work."""
    return f"""
import os, pathlib, time
pathlib.Path({str(folder / f"{name}.pid")!r}).write_text(str(os.getpid()))
while not pathlib.Path({str(folder / f"{name}.go")!r}).exists():
    time.sleep(0.01)
print("{{}}")
"""


@pytest.mark.slow
@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGTERM])
def test_killed_in_each_step_it_goes_on_there_and_finishes(kill: int, workflow: Write, tmp_path: Path) -> None:
    names = ("first", "second", "third")
    file = workflow(**{name: waits(tmp_path, name) for name in names})
    command = [sys.executable, "-c", CHILD, str(file), attempts.PROGRAM.replace("import runpy", DIES)]
    for name in names:
        process = subprocess.Popen(command, env=os.environ, stderr=subprocess.DEVNULL)
        pid = tmp_path / f"{name}.pid"
        until(lambda pid=pid: pid.exists() and pid.read_text() != "")  # type: ignore[misc]
        process.send_signal(kill)
        assert process.wait(60) == (-kill if kill == signal.SIGKILL else 128 + kill)
        until(lambda pid=pid: not alive(int(pid.read_text())))  # type: ignore[misc]
        [run] = runs.listed(load().lake_uri)
        assert run.state == "interrupted"
        (tmp_path / f"{name}.go").touch()
    assert subprocess.run(command, env=os.environ, check=False).returncode == 0
    [run] = runs.listed(load().lake_uri)
    assert run.state == "done"
    assert {name: step["attempts"] for name, step in run.manifest["steps"].items()} == {
        "first": 2, "second": 2, "third": 2
    }  # fmt: skip


DIES = "from cabstand.io.dask.parent_death import die_with_parent; die_with_parent(); import runpy"


def test_a_run_that_is_at_work_is_not_run_twice(workflow: Write) -> None:
    file = workflow(n_attempts=1, first=FAILS)
    with pytest.raises(TaskError):
        go(file)
    [path] = Path(load().lake_uri).glob("runs/*/manifest.json")
    content = manifest()
    content["steps"]["first"] |= {"status": "running", "ended": None, "started": "2999-01-01T00:00:00+00:00"}
    path.write_text(json.dumps(content))  # by this process, which is alive
    with pytest.raises(TaskError, match="runs already"):
        go(file)
    content["owner"]["process.id"] = "999999999-1"
    path.write_text(json.dumps(content))
    with pytest.raises(TaskError, match="it rains"):  # its process is dead: it is taken up again
        go(file)


def test_a_run_is_in_mlflow_and_one_trace(workflow: Write, httpserver: HTTPServer) -> None:
    sent = received(httpserver)
    answer = {"inputs": [{"uri": "in", "sha256": "9f" * 32}]}
    file = workflow(first=f"print({json.dumps(answer)!r})", second=GOOD)
    settings = load(otlp_endpoint=httpserver.url_for("/"))
    tracing.start(settings)
    try:
        done = execution.run(settings, Params("own", file=file))
    finally:
        tracing.stop()
    assert sorted(span.name for span in sent) == ["first", "mlflow own", "second", "workflow own"]
    assert trace_ids(sent) == {done["trace_id"]}
    found = tracking.client(settings).get_run(done["run_id"])
    assert found.info.status == "FINISHED"
    assert found.data.tags["run_key"] == done["run_key"]
    assert found.data.metrics["first.attempts"] == 1
    assert [one.dataset.name for one in found.inputs.dataset_inputs] == ["in"]


def test_two_starts_of_one_interrupted_run_do_its_work_once(workflow: Write, tmp_path: Path) -> None:
    file = workflow(first=FAILS)
    with pytest.raises(TaskError):
        go(file)
    [path] = Path(load().lake_uri).glob("runs/*/manifest.json")
    with claimed(str(path.parent), path.parent.name), pytest.raises(ConflictError, match="at work on this run"):
        go(file)
    assert manifest()["steps"]["first"]["attempts"] == 3


def test_a_firing_that_is_delivered_while_its_run_works_has_nothing_to_do(workflow: Write) -> None:
    file, at = workflow(first=FAILS), "2026-01-02T03:04:05Z"
    with pytest.raises(TaskError):
        go(file, scheduled=at)
    [path] = Path(load().lake_uri).glob("runs/*/manifest.json")
    with claimed(str(path.parent), path.parent.name), pytest.raises(NothingToDo, match="at work on this run"):
        go(file, scheduled=at)


def test_a_cut_line_of_the_audit_trail_keeps_no_run_from_its_work(workflow: Write, tmp_path: Path) -> None:
    file = workflow(first=flaky(tmp_path, 3))
    with pytest.raises(TaskError):
        go(file)
    [trail] = Path(load().lake_uri).glob("runs/*/audit.jsonl")
    trail.write_bytes(trail.read_bytes()[:-20])
    assert go(file)["results"] == {"first": {"n": 3}}
    assert [event for _, event in events()][-3:] == ["unreadable", "started", "done"]


@pytest.mark.parametrize("day", ["yesterday", "2026-13-01", "2026-1-1", "2026", "2026-01-01T00:00"])
def test_only_a_day_is_one(day: str) -> None:
    with pytest.raises(ConfigError, match="is not a day"):
        shown.run(load(), shown.Params(since=day))
