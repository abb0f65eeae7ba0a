"""Find a problem: a built-in one, one of an installed package, or one in a user's file."""

from __future__ import annotations

import importlib.util
import pkgutil
import sys
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from cabstand.errors import ConfigError, suggest
from cabstand.modelling.problem import Problem

GROUP = "cabstand.problems"
BUILT_IN = {
    "trip-duration": "cabstand.modelling.problems.trip_duration:PROBLEM",
    "trip-duration-distance": "cabstand.modelling.problems.trip_duration:WITH_DISTANCE",
    "housing": "cabstand.modelling.problems.housing:PROBLEM",
    "iris": "cabstand.modelling.problems.iris:PROBLEM",
}


def names() -> list[str]:
    """Return the names of built-in problems and of those in installed packages (group `cabstand.problems`)."""
    return sorted(set(BUILT_IN) | {point.name for point in entry_points(group=GROUP)})


def find(spec: str) -> Problem:
    """Return the problem that `spec` names: a built-in one, an entry point, or the PROBLEM of a Python file."""
    try:
        found = _load(spec)
    except ConfigError:
        raise
    except Exception as error:  # whatever a user's file raises is shown in one line
        raise ConfigError(f"{type(error).__name__}: {error}", where=spec) from error
    if not isinstance(found, Problem):
        raise ConfigError("does not define PROBLEM, a cabstand.modelling.problem.Problem", where=spec)
    return found


def own_files(spec: str) -> list[Path]:
    """Return the Python files that define a problem: none of a built-in one, all of an installed package's."""
    if spec.endswith(".py"):
        return [Path(spec)]
    module = next((point.module for point in entry_points(group=GROUP) if point.name == spec), None)
    if spec in BUILT_IN or module is None:
        return []
    found = importlib.util.find_spec(module.partition(".")[0])
    folders = (found.submodule_search_locations if found else None) or []
    files = [path for folder in folders for path in sorted(Path(folder).rglob("*.py"))]
    return files or ([Path(found.origin)] if found and found.origin else [])


def _load(spec: str) -> object:
    if spec.endswith(".py"):
        return getattr(_module(Path(spec)), "PROBLEM", None)
    if spec in BUILT_IN:
        return pkgutil.resolve_name(BUILT_IN[spec])
    for point in entry_points(group=GROUP):
        if point.name == spec:
            return point.load()
    raise ConfigError(f"no problem named {spec!r}", hint=suggest(spec, [*names(), "path/to/file.py"]))


def _module(path: Path) -> ModuleType:
    if not path.is_file():
        raise ConfigError("no such file", where=path, hint="--problem takes a name or a path to a .py file")
    name = f"cabstand_problem_{path.stem}"
    specification = importlib.util.spec_from_file_location(name, path)
    if specification is None or specification.loader is None:
        raise ConfigError("not a Python file", where=path)
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module  # dataclasses in the file look up their module
    specification.loader.exec_module(module)
    return module
