"""The page about one's own problem, done exactly as it is written."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cabstand import cli
from cabstand.errors import DataError
from cabstand.modelling import catalog
from cabstand.modelling.fields import columns_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "own-problem.md"
METADATA = "Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n"


def test_the_page_works_as_written(tmp_path: Path) -> None:
    text = PAGE.read_text()
    for name, code in re.findall(r"```python (\S+)\n(.*?)```", text, flags=re.DOTALL):
        (tmp_path / name).write_text(code)
    [commands] = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    answers = []
    for line in commands.strip().splitlines():
        done = subprocess.run(
            shlex.split(line),
            cwd=tmp_path,
            env=os.environ | {"PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        answers.append(done.stdout.strip().splitlines()[-1:] or [""])
    trained, promoted, predicted = (json.loads(answer[0]) for answer in answers[1:])
    assert trained["metrics"]["mae"] < 1
    assert promoted["decision"] == "promoted"
    [answer] = predicted["answers"]
    assert answer["low"] < 8.8 < answer["high"]
    assert answer["point"] == pytest.approx(8.8, abs=1)


def test_another_package_makes_its_problem_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cabstand: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """Laid out as pip installs it: a package, and beside it the metadata with the entry point that the page shows."""
    text = PAGE.read_text()
    code = dict(re.findall(r"```python (\S+)\n(.*?)```", text, flags=re.DOTALL))
    [(group, entry)] = re.findall(r'`\[project\.entry-points\."(\S+)"\]`, `(.+?)`', text)
    name, target = (part.strip(' "') for part in entry.split("=", 1))
    site = tmp_path / "site"
    (site / "my_package").mkdir(parents=True)
    (site / "my_package" / "__init__.py").touch()
    (site / "my_package" / "tips.py").write_text(code["tips.py"])
    told = site / "my_package-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text(METADATA)
    (told / "entry_points.txt").write_text(f"[{group}]\n{name} = {target}\n")
    (tmp_path / "tips_data.py").write_text(code["tips_data.py"])
    subprocess.run([sys.executable, "tips_data.py"], cwd=tmp_path, check=True)
    monkeypatch.setenv("PYTHONPATH", str(site))
    trained = cabstand("train", "--problem", name, "--input", "tips.csv", "--no-track")
    assert trained.returncode == 0, trained.stderr
    assert cabstand("promote", "--problem", name, "--no-track").returncode == 0
    asked = cabstand("models", "predict", "--problem", name, "--row", '{"fare_usd": 40, "hour": 20}')
    assert json.loads(asked.stdout)["answers"][0]["point"] == pytest.approx(8.8, abs=1)


@pytest.fixture
def waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page's second example with its data, in the current folder."""
    for name, code in re.findall(r"```python (\S+)\n(.*?)```", PAGE.read_text(), flags=re.DOTALL):
        (tmp_path / name).write_text(code)
    subprocess.run([sys.executable, "waits_data.py"], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "waits.py"


ROW = {"called_at": "2024-03-01T08:15:00", "weather": "snow", "party_size": 2, "distance_km": 1.5}


def test_the_example_of_all_kinds_works_as_written(waits: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*words: str) -> dict[str, Any]:
        assert cli.run([*words, "--problem", "waits.py"]) == 0, capsys.readouterr().err
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    assert run("train", "--input", "waits.csv", "--no-track")["metrics"]["mae"] < 1.5
    assert run("promote", "--no-track")["decision"] == "promoted"
    near, far = (run("models", "predict", "--row", json.dumps(ROW | {"distance_km": km}))["answers"][0]["point"]
                 for km in (0.5, 4.5))  # fmt: skip
    assert (near, far) == pytest.approx((12, 20), abs=1.5)
    absent = {name: value for name, value in ROW.items() if name != "distance_km"}
    [(words, row)] = re.findall(r"`cabstand (models predict .*?) --row '(.*?)'`", PAGE.read_text(), flags=re.DOTALL)[
        -1:
    ]
    assert json.loads(row) == absent
    assert words == "models predict --problem waits.py"
    unknown = [run("models", "predict", "--row", json.dumps(one)) for one in (absent, ROW | {"distance_km": None})]
    assert unknown[0]["answers"] == unknown[1]["answers"]
    assert near < unknown[0]["answers"][0]["point"] < far


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"weather": "hail"}, "field weather: unknown value hail (one of ['dry', 'rain', 'snow'])"),
        ({"weather": None}, "field weather: missing"),
        ({"party_size": 2.5}, "field party_size: not a finite integer"),
        ({"party_size": 9}, "field party_size: 9 is outside 1 to 8"),
        ({"distance_km": 50.1}, "field distance_km: 50.1 is outside 0 to 50 km"),
        ({"called_at": "2024-03-01T08:15:00Z"}, "field called_at: a time with a zone"),
        ({"called_at": "2024-03-01 08:15:00-05:00"}, "field called_at: a time with a zone"),
        ({"called_at": "2024-03-01T08:15 UTC"}, "field called_at: a time with a zone"),
        ({"called_at": "noon"}, "field called_at: not a timestamp"),
        ({"wind": 3}, "unknown field 'wind'"),
    ],
)
def test_what_the_page_says_of_refusals(changed: dict[str, Any], what: str, waits: Path) -> None:
    with pytest.raises(DataError) as caught:
        columns_of(catalog.find(str(waits)).fields, [ROW | changed])
    assert str(caught.value).startswith("row 0")
    assert what in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('row["distance_km"] or "nan"', 'row["distance_km"] or "0"', ""),
        (
            '"party_size": np.array([row["party_size"]',
            '"party_size": np.array([row["distance_km"] or "nan"',
            "values, but is not optional",
        ),
        ('"weather": np.array([row["weather"]', '"weather": np.array(["hail"', "holds 'hail', which is not among"),
        ('"M8[s]")', '"U20")', "the time is <U20, not datetime64"),
        ("np.int64)", '"U9")', "column 'party_size' is <U9, not of kind integer"),
        (
            '        "party_size": np.array([row["party_size"] for row in rows], np.int64),\n',
            "",
            "gives no column 'party_",
        ),
        (
            "imputed(LinearRegression())",
            "LinearRegression()",
            "candidate linear: cannot be fitted: Input X contains NaN",
        ),
    ],
)
def test_examples_that_do_not_fit_their_fields_are_one_line(
    old: str, new: str, what: str, waits: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = waits.read_text()
    assert code.count(old) == 1
    text = code.replace(old, new)
    waits.write_text(text.replace("np.int64)", "np.float64)") if "optional" in what else text)
    status = cli.run(["train", "--problem", "waits.py", "--input", "waits.csv", "--no-track"])
    assert status == (2 if what else 0)
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert len(errors) == bool(what)
    assert all(what in line for line in errors)
