"""A real Prometheus scrapes the service and the exporter: each alarm is made to ring, and falls silent."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from bundles import point, small_bundle
from cabstand.settings import Settings
from journals import write_run
from prometheus.stack import Cpus, Exporter, Prometheus, alarms, configuration
from serving import PREDICT, ROW, Server, get, make_key, serving
from waiting import until

pytestmark = pytest.mark.prometheus
DAY_S = 86_400
PATIENCE_S = 60


@dataclass
class Scene:
    """What runs, and the home that it runs on."""

    home: Path
    key: str
    server: Server
    exporter: Exporter
    cpus: Cpus
    prometheus: Prometheus

    @property
    def artifacts(self) -> Path:
        return self.home / "artifacts"

    def predict(self, pause_s: float = 0.0) -> int:
        """Ask for a prediction, the body `pause_s` after the head, and return the status."""
        body = json.dumps(ROW).encode()
        head = f"POST {PREDICT} HTTP/1.1\r\nhost: a\r\nx-api-key: {self.key}\r\ncontent-length: {len(body)}\r\n"
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=20) as client:
            client.sendall(f"{head}connection: close\r\n\r\n".encode())
            time.sleep(pause_s)
            client.sendall(body)
            return int(client.makefile("rb").readline().split()[1])


@pytest.fixture(scope="module")
def scene(prometheus: str, maker: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Everything at rest; nothing is published yet."""
    home = tmp_path_factory.mktemp("home")
    key, scraping = make_key(Settings(home=home)), make_key(Settings(home=home), "prometheus", scopes=("metrics",))
    small_bundle(home / "artifacts")
    with ExitStack() as ends:
        env = {"CABSTAND_API_REFRESH_S": "1", "CABSTAND_API_PROBLEMS": "trip-duration"}
        server = ends.enter_context(serving(home, home / "serve.log", ready=False, **env))
        cpus = Cpus(home / "proc")
        exporter = Exporter(home, cpus.folder)
        ends.callback(exporter.stop)
        targets = {"cabstand-service": server.port, "cabstand-runs": exporter.port}
        config = configuration(home, maker, scraping, {job: f"127.0.0.1:{port}" for job, port in targets.items()})
        started = Prometheus(prometheus, config)
        ends.callback(started.process.stop)
        until(lambda: started.value("sum(up)") == 2, PATIENCE_S)
        yield Scene(home, key, server, exporter, cpus, started)


@contextmanager
def not_ready(scene: Scene) -> Iterator[None]:
    """There is no bundle yet, so the service is not ready: 503."""
    for _ in range(8):
        assert get(f"{scene.server.url}/readyz")[0] == 503
    yield
    point(scene.artifacts)
    until(lambda: get(f"{scene.server.url}/readyz")[0] == 200)


@contextmanager
def slow_clients(scene: Scene) -> Iterator[None]:
    """Some clients send their request slowly."""
    stop, statuses = threading.Event(), set()

    def ask() -> None:
        while not stop.is_set():
            statuses.add(scene.predict(1.2))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert statuses == {200}


@contextmanager
def refused_challenger(scene: Scene) -> Iterator[None]:
    point(scene.artifacts, challenger="not-there", share=0.5)
    yield
    point(scene.artifacts)


@contextmanager
def unreadable_store(scene: Scene) -> Iterator[None]:
    """The pointer is a folder, which no file system reads."""
    pointer = scene.artifacts / "trip-duration/pointer.json"
    aside = pointer.rename(pointer.with_suffix(".away"))
    pointer.mkdir()
    yield
    pointer.rmdir()
    aside.rename(pointer)


@contextmanager
def unwritable_log(scene: Scene) -> Iterator[None]:
    """The folder of predictions is a file."""
    folder = scene.home / "predictions"
    folder.write_text("")
    for _ in range(3):
        assert scene.predict() == 200
        time.sleep(1.1)
    yield
    folder.unlink()


@contextmanager
def busy_machine(scene: Scene) -> Iterator[None]:
    stop = threading.Event()

    def write() -> None:
        while not stop.wait(0.1):
            scene.cpus.write()

    thread = threading.Thread(target=write)
    scene.cpus.load(0.9)
    thread.start()
    yield
    scene.cpus.load(0.1)
    until(lambda: "ServerCpu" not in scene.prometheus.firing(), PATIENCE_S)
    stop.set()
    thread.join()


@contextmanager
def silent_exporter(scene: Scene) -> Iterator[None]:
    scene.exporter.stop()
    yield
    scene.exporter.start()


def a_run(name: str, **how: float | str) -> Callable[[Scene], AbstractContextManager[None]]:
    """Return what lets a run have ended, and then be older than a day."""

    @contextmanager
    def happen(scene: Scene) -> Iterator[None]:
        lake = scene.home / "lake"
        for number in range(3):
            write_run(lake, name, number)
        write_run(lake, name, 10, **how)  # type: ignore[arg-type]
        yield
        write_run(lake, name, 10, ended=time.time() - DAY_S - 1, **how)  # type: ignore[arg-type]

    return happen


@contextmanager
def silent_monitor(scene: Scene) -> Iterator[None]:
    write_run(scene.home / "lake", "daily-monitor", ended=time.time() - 2 * DAY_S - 60)
    yield
    write_run(scene.home / "lake", "daily-monitor", 1)


WORKFLOW, EXPERIMENT = "monthly-pipeline", "daily-comparison"
CAUSES: dict[str, Callable[[Scene], AbstractContextManager[None]]] = {
    "ApiErrors": not_ready,  # first: the others need a bundle
    "PredictionsDropped": unwritable_log,  # before anything is written there
    "MonitorSilent": silent_monitor,
    "WorkflowFailures": a_run("retraining", status="failed"),
    "WorkflowSlow": a_run(WORKFLOW, seconds=301.0),
    "ExperimentFailures": a_run(EXPERIMENT, status="failed"),
    "ExperimentSlow": a_run(EXPERIMENT, seconds=601.0),
    "JobMemory": a_run(EXPERIMENT, peak_rss_mb=8193.0),
    "ServerCpu": busy_machine,
    "ApiSlow": slow_clients,
    "BundleRefused": refused_challenger,
    "BundlesUnread": unreadable_store,
    "ExporterSilent": silent_exporter,
}


def test_every_alarm_has_a_cause() -> None:
    assert sorted(CAUSES) == sorted(alarms())


@pytest.mark.parametrize("alarm", CAUSES)
def test_it_rings_and_falls_silent(scene: Scene, alarm: str) -> None:
    assert alarm not in scene.prometheus.firing()
    with CAUSES[alarm](scene):
        until(lambda: alarm in scene.prometheus.firing(), PATIENCE_S, 0.2)
    until(lambda: alarm not in scene.prometheus.firing(), PATIENCE_S, 0.2)


def test_a_failed_scrape_silences_no_alarm(scene: Scene) -> None:
    scraped, value = 'up{job="cabstand-runs"}', scene.prometheus.value
    rings = '(count(ALERTS{alertname="WorkflowSlow",alertstate="firing"}) or vector(0))'
    until(lambda: value(scraped) == 1, PATIENCE_S)
    with a_run(WORKFLOW, seconds=301.0)(scene):
        until(lambda: value(rings) == 1, PATIENCE_S)
        begun = time.monotonic()
        with scene.exporter.frozen():
            until(lambda: value(scraped) == 0, PATIENCE_S)
        until(lambda: value(scraped) == 1, PATIENCE_S)
        passed_ms = int((time.monotonic() - begun) * 1000)
        assert value(f"min_over_time({scraped}[{passed_ms}ms])") == 0
        assert value(f"min_over_time({rings}[{passed_ms}ms:100ms])") == 1
