"""What the installed package contains and imports."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Libraries that `from cabstand import GeoDBSCAN` must not import. (scipy is not listed: numba imports it if installed.)
PLATFORM = ("boto3", "dask", "fastapi", "mlflow", "onnxruntime", "pandas", "pyarrow", "pydantic", "sklearn")
HEAVY = {*PLATFORM, "altair", "numba", "numpy", "scipy"} - {"pydantic"}


def modules_after(code: str) -> set[str]:
    """Return the names of all modules loaded once `code` has run in a fresh interpreter."""
    probe = f"{code}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_base_is_numpy_and_numba_alone() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert sorted(name.split(">")[0] for name in project["dependencies"]) == ["numba", "numpy"]


def test_the_estimator_loads_nothing_of_the_platform() -> None:
    loaded = modules_after("from cabstand import GeoDBSCAN\nGeoDBSCAN()")
    assert not loaded & set(PLATFORM)


def test_help_is_quick_to_load() -> None:
    loaded = modules_after("import cabstand.cli")
    assert not loaded & set(HEAVY)


@pytest.mark.parametrize("library", ["typer", "pydantic", "pydantic_settings"])
def test_without_its_extra_the_command_line_names_it(library: str) -> None:
    script = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["cabstand"]
    module, _, function = script.partition(":")
    code = f"import sys; sys.modules[{library!r}] = None; from {module} import {function} as main; main()"
    done = subprocess.run([sys.executable, "-c", code, "demo"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert "the extra `batch`" in line
    assert library in line


def test_the_wheel_carries_the_package_and_nothing_else(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", tmp_path, ROOT],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "cabstand/py.typed" in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"cabstand"}
    assert not [name for name in names if "test" in Path(name).name and name.endswith(".py")]


@pytest.mark.parametrize("lock", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda path: path.stem)
def test_every_pin_has_a_hash_and_no_address(lock: Path) -> None:
    text = lock.read_text()
    pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert pins
    assert all("==" in line and line.endswith("\\") for line in pins)
    assert "://" not in text
