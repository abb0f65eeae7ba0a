"""What the installed package contains and imports."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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


def test_runs_are_listed_without_what_computes() -> None:
    loaded = modules_after("import cabstand.jobs.runs")
    assert not loaded & set(HEAVY)


def test_a_report_is_made_without_the_kernels() -> None:
    assert not modules_after("import cabstand.jobs.report") & {"numba", "scipy"}


@pytest.mark.parametrize("job", ["compare", "report"])
def test_jobs_wait_with_slow_libraries_until_they_need_them(job: str) -> None:
    loaded = modules_after(f"import cabstand.jobs.{job}")
    assert not loaded & {"mlflow", "pandas", "scipy.spatial", "scipy.stats", "sklearn"}


@pytest.mark.parametrize("library", ["typer", "pydantic", "pydantic_settings"])
def test_without_its_extra_the_command_line_names_it(library: str) -> None:
    script = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["cabstand"]
    module, _, function = script.partition(":")
    code = f"import sys; sys.modules[{library!r}] = None; from {module} import {function} as main; main()"
    done = subprocess.run([sys.executable, "-c", code, "demo"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    [line] = [one for one in done.stderr.splitlines() if one.startswith("error: ")]
    assert "the extra `batch`" in line
    assert library in line


def imported(folder: Path) -> dict[str, Path]:
    """Return the top-level names that the modules below a folder import, each with one of the modules."""
    found = {}
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0]: file for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found[node.module.partition(".")[0]] = file
    return found


def installed_with(extra: str) -> set[str]:
    """Return the distributions that an extra installs, with what those need themselves."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    waiting, found = [*project["dependencies"], f"cabstand[{extra}]"], set()
    while waiting:
        requirement = Requirement(waiting.pop())
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        if requirement.name == "cabstand":
            waiting += [line for name in requirement.extras for line in extras[name]]
        elif canonicalize_name(requirement.name) not in found:
            found.add(canonicalize_name(requirement.name))
            waiting += metadata.requires(requirement.name) or []
    return found


def test_the_batch_extra_has_all_that_commands_import() -> None:
    """`local` is for tests; traces and Evidently's report have extras of their own, and commands work without them."""
    shipped = installed_with("batch")
    distributions = metadata.packages_distributions()
    for name, file in imported(ROOT / "src" / "cabstand").items():
        own = name == "cabstand" or name in sys.stdlib_module_names
        if own or name in {"opentelemetry", "evidently"} or "local" in file.relative_to(ROOT).parts:
            continue
        assert shipped & {canonicalize_name(one) for one in distributions[name]}, f"{file} imports {name}"


def test_the_first_steps_say_whom_each_extra_serves() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = re.findall(r"^\| `([a-z]+)` \|", (ROOT / "docs/first-steps.md").read_text(), re.MULTILINE)
    assert sorted(name for name in named if name in extras) == sorted(extras)


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
