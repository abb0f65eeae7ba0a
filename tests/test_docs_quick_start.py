"""The first commands on real trips work as printed, with the publishers' files served from this machine."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


class Quiet(SimpleHTTPRequestHandler):
    """Serve a folder, without a log."""

    def log_message(self, *args: object) -> None:
        """Log nothing."""


@pytest.fixture
def publisher(shared: Path, tmp_path: Path) -> Iterator[str]:
    """The address of the published files that the page downloads, under their names."""
    folder = tmp_path / "published"
    folder.mkdir()
    pickups = gzip.decompress((shared / "data/pickups/uber-raw-data-apr14.head65535.csv.gz").read_bytes())
    (folder / "uber-raw-data-apr14.csv").write_bytes(pickups)
    for name in ("taxi_zones.zip", "taxi_zone_lookup.csv"):
        (folder / name).write_bytes((shared / "data/zones" / name).read_bytes())
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_first_commands_on_real_trips(publisher: str, tmp_path: Path) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs/first-steps.md").read_text(), re.DOTALL)
    [block] = [one for one in blocks if "cabstand ingest" in one]
    script = "set -e\n" + block.replace(". .venv/bin/activate\n", "")
    script = script.replace("--min-samples 500", "--min-samples 60")  # the first 65,535 of the month's 564,516 pickups
    env = {name: value for name, value in os.environ.items() if not name.startswith("CABSTAND_")}
    env |= {"CABSTAND_UBER_URL": publisher, "CABSTAND_ZONES_URL": publisher}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, cwd=tmp_path, env=env, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    ingested, zones, clustered, reported = (json.loads(line) for line in done.stdout.splitlines())
    assert (ingested["era"], ingested["rows_out"], zones["n_zones"]) == ("coordinates", 65_535, 265)
    assert (clustered["n_points"], clustered["by_zone"], clustered["synthetic"]) == (65_535, False, False)
    assert clustered["n_clusters"] > 50
    page = (tmp_path / reported["report_uri"]).read_text()
    assert "Synthetic data" not in page
    assert "LaGuardia Airport" in page
