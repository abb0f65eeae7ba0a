"""A Prometheus that scrapes `cabstand serve` and `cabstand runs exporter`, sixty times as fast as an hour goes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

from cabstand.observability import catalogue
from serving import free_port, get
from waiting import until

ROOT = Path(__file__).resolve().parents[2]
SPEED = 60  # a minute of the rules is a second here
SCRAPE = "500ms"
# The exporter, whose CPU times come from a folder that the test writes.
EXPORTER = "import sys, psutil; psutil.PROCFS_PATH = sys.argv.pop(1); from cabstand.__main__ import main; main()"


class Process:
    """A program with a log, which is ended by its process id."""

    def __init__(self, command: list[str], log: Path, **env: str) -> None:
        self.command, self.log, self.env = command, log, env
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                self.command, env=os.environ | self.env, stdout=out, stderr=out, start_new_session=True
            )

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=40)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Keep it from answering for the duration of the block."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)


class Prometheus:
    """The running program."""

    def __init__(self, program: str, config: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        data = config.parent / "data"
        words = [f"--config.file={config}", f"--storage.tsdb.path={data}", f"--web.listen-address=127.0.0.1:{port}"]
        self.process = Process([program, *words], config.parent / "prometheus.log")
        until(self._is_ready, 60)

    def _is_ready(self) -> bool:
        assert self.process.process.poll() is None, self.process.log.read_text()
        try:
            return get(f"{self.url}/-/ready")[0] == 200
        except OSError:
            return False

    def ask(self, path: str, **query: str) -> Any:
        """Return the data of an answer of its API."""
        status, body = get(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}")
        assert status == 200, body
        return json.loads(body)["data"]

    def value(self, expr: str) -> float | None:
        """Return the value of an expression with one series, or None."""
        found = self.ask("query", query=expr)["result"]
        return float(found[0]["value"][1]) if found else None

    def firing(self) -> set[str]:
        """Return the names of the alarms that ring."""
        return {one["labels"]["alertname"] for one in self.ask("alerts")["alerts"] if one["state"] == "firing"}


def configuration(folder: Path, maker: ModuleType, key: str, targets: dict[str, str]) -> Path:
    """Write the example's configuration with these targets, a shorter pause, and rules that are as much faster."""
    config = yaml.safe_load((ROOT / "observability/prometheus.yml").read_text())
    config["global"] = {"scrape_interval": SCRAPE, "scrape_timeout": SCRAPE, "evaluation_interval": SCRAPE}
    for job in config["scrape_configs"]:
        job["static_configs"] = [{"targets": [targets.pop(job["job_name"])]}]
    assert not targets
    (folder / "metrics.key").write_text(key)
    (folder / "rules.yml").write_text(yaml.safe_dump(maker.rules(catalogue(), SPEED)))
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(config))
    return path


class Exporter(Process):
    """The exporter of a home's runs."""

    def __init__(self, home: Path, proc: Path) -> None:
        self.port = free_port()
        words = ["runs", "exporter", "--port", str(self.port), "--every", "0"]
        command = [sys.executable, "-c", EXPORTER, str(proc), *words]
        super().__init__(command, home / "exporter.log", CABSTAND_HOME=str(home))


class Cpus:
    """A /proc/stat with a share of CPU time that is busy, from the last change on."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self._busy, self._share, self._since = folder, 0.0, 0.0, time.monotonic()
        # psutil reads the names of the columns of the real one, when it is imported.
        self._columns = len(Path("/proc/stat").read_text().splitlines()[0].split()) - 1
        self.write()

    def load(self, share: float) -> None:
        self.write()
        self._share = share

    def write(self) -> None:
        """Bring the file up to date; a test calls this often."""
        now = time.monotonic()
        self._busy += (now - self._since) * self._share * (os.cpu_count() or 1)
        self._since = now
        ticks = [int(self._busy * os.sysconf("SC_CLK_TCK")), *([0] * (self._columns - 1))]
        aside = self.folder / "stat.new"
        aside.write_text(f"cpu  {' '.join(map(str, ticks))}\n")
        aside.replace(self.folder / "stat")


def alarms() -> list[str]:
    """Return the names of all alarms of Prometheus."""
    return re.findall(r"alert: (\w+)", (ROOT / "observability/rules.yml").read_text())
