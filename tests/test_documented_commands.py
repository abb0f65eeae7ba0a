"""Every command of the documentation works: it is run here, or by the test or lane that tests/commands.toml names."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import sys
import threading
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import typer

import documented
from cabstand.cli import app
from documented import PAGES, ROOT

LIST: dict[str, Any] = tomllib.loads((ROOT / "tests/commands.toml").read_text(encoding="utf-8"))
RUN = ("fast", "slow")


class Quiet(SimpleHTTPRequestHandler):
    """Serve a folder, without a log."""

    def log_message(self, *args: object) -> None:
        """Log nothing."""


def test_every_command_is_on_the_list() -> None:
    listed = Counter[str]()
    for name, part in LIST.items():
        every = part["commands"] if name in RUN else [one for known in part.values() for one in known]
        listed.update(command.strip() for command in every)
    found = {command for page in PAGES for command in documented.commands(page)}
    assert found - listed.keys() == set(), "put new commands on the list in tests/commands.toml"
    assert listed.keys() - found == set(), "these are no longer in any page"
    assert [command for command, times in listed.items() if times > 1] == []


def test_every_block_of_commands_says_that_it_is_one() -> None:
    for page in PAGES:
        for language, text in documented.blocks(page):
            first = text.lstrip().splitlines()[0]
            assert language or not documented.PROGRAMS.match(first), f"{page.name}: write ```sh before {first!r}"


def test_what_runs_the_others_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert [test for test in LIST["tested"] if not (ROOT / test).is_file()] == []
    assert [lane for lane in LIST["lane"] if not re.search(rf"^{lane}:", makefile, re.MULTILINE)] == []


def options(command: Any) -> set[str]:
    return {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_options_that_are_named_exist(page: Path) -> None:
    for mention in documented.mentions(page):
        words = [word.strip("[]().,") for word in mention.replace("=", " ").split()[1:]]
        command: Any = typer.main.get_command(app)
        known = {"--help"} | options(command)
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
            known |= options(command)
        missing = hasattr(command, "commands") and words and re.fullmatch(r"[a-z][a-z-]*", words[0])
        assert not missing, f"{mention!r}: there is no command {words[0]!r}"
        own = words[: words.index("--")] if "--" in words else words
        unknown = [word for word in own if re.fullmatch(r"--[a-z][a-z-]*", word) and word not in known]
        assert unknown == [], mention


def run(commands: list[str], replace: dict[str, str], folder: Path, settings: dict[str, str]) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("CABSTAND_", "AWS_"))}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    for command in commands:
        line = command
        for word, other in replace.items():
            line = line.replace(word, other)
        done = subprocess.run(
            ["bash", "-c", line],
            capture_output=True,
            text=True,
            cwd=folder,
            env=env | settings,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-500:]}\n{done.stderr[-2000:]}"


def test_the_quick_commands(tmp_path: Path) -> None:
    run(LIST["fast"]["commands"], {}, tmp_path, {})


@pytest.fixture
def publisher(shared: Path, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Settings that download from this machine what the TLC publishes."""
    folder, data = tmp_path / "published", shared / "data"
    folder.mkdir()
    for file in [*data.glob("zones/taxi_zone*"), *data.glob("green/*.parquet")]:
        shutil.copyfile(file, folder / file.name)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        yield {"CABSTAND_ZONES_URL": address, "CABSTAND_TLC_URL": address}
        server.shutdown()


@pytest.mark.slow
def test_the_commands_on_real_trips(publisher: dict[str, str], shared: Path, tmp_path: Path) -> None:
    """All in one home, with small files of real trips under the names that the pages give them."""
    place = tmp_path / "user"
    place.mkdir()
    for file in [*(shared / "data/pickups").glob("uber-raw*"), *(shared / "data/housing").glob("*.gz")]:
        shutil.copyfile(file, place / file.name)
    rows = gzip.decompress((place / "uber-raw-data-apr14.head65535.csv.gz").read_bytes()).splitlines(keepends=True)
    (place / "uber-raw-data-apr14.csv.gz").write_bytes(gzip.compress(b"".join(rows[:20_000])))
    (place / "trips.csv").write_bytes(b"".join(rows[:5_000]))
    run(LIST["slow"]["commands"], LIST["slow"]["replace"] | {"SHARED": str(shared / "data")}, place, publisher)
    assert (place / "picture/map.png").stat().st_size > 500_000
