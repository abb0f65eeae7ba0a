"""What the laptop gateway costs: a request through it, and the same event sent to the runtime emulator directly."""

from __future__ import annotations

import http.client
import json
import shutil
import statistics
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import gateway_account
import lambda_runtime
from bundles import point, small_bundle
from cabstand.local.functions import runtime
from cabstand.settings import Settings
from lambda_events import ROW, event
from serving import make_key

pytestmark = pytest.mark.bench
PAIRS, WARM = 200, 20
MOST = 1.5


class Timed:
    """A client that keeps its connection."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)

    def close(self) -> None:
        self._connection.close()

    def post(self, path: str, body: bytes, **headers: str) -> float:
        """Return the milliseconds that a request takes."""
        began_s = time.perf_counter()
        self._connection.request("POST", path, body, headers)
        answer = self._connection.getresponse()
        text = answer.read()
        took_s = time.perf_counter() - began_s
        assert answer.status == 200, text
        return took_s * 1000


def test_a_request_costs_little_more_than_one_to_the_runtime(tmp_path: Path) -> None:
    """The packaged prediction function; pairs in turn, so that both meet the same machine."""
    python, version = lambda_runtime.choose_python()
    tree, installed = lambda_runtime.build_tree(version), lambda_runtime.install_runtime(version)
    served = lambda_runtime.ROOT / "build" / "bench-home"  # not below /tmp, which is an environment's own
    shutil.rmtree(served, ignore_errors=True)
    small_bundle(served / "artifacts")
    point(served / "artifacts")
    key = make_key(Settings(home=served))
    headers = {"x-api-key": key, "content-type": "application/json"}
    path, body = "/v1/trip-duration/predict", json.dumps(ROW).encode()
    sent = json.dumps(event("POST", path, ROW, **headers)).encode()
    home = {"CABSTAND_HOME": str(served)}
    # With it, the runtime client asks for events in a thread of its own, as on Lambda: 0.4 ms more for a request.
    same = {"AWS_EXECUTION_ENV": f"AWS_Lambda_python{version}"}
    with (
        gateway_account.account() as account,
        lambda_runtime.running(python, tree, installed, tmp_path / "log", **home, **same) as function,
    ):
        packed = Path(f"{tree}.zip").read_bytes()
        settings = {"Timeout": 30, "MemorySize": 512, "Handler": "handler.handler"}
        account.make_function(version, packed, Environment={"Variables": home}, **settings)
        account.make_api("$default")
        with (
            gateway_account.gateway(account, tmp_path / "work", "--cache", str(installed.parent)) as url,
            closing(Timed(function.url)) as direct,
            closing(Timed(url)) as through,
        ):
            pairs = [
                (direct.post(runtime.INVOKE, sent), through.post(path, body, **headers)) for _ in range(PAIRS + WARM)
            ][WARM:]
    medians = [statistics.median(one) for one in zip(*pairs, strict=True)]
    print(f"\ndirect {medians[0]:.2f} ms, through the gateway {medians[1]:.2f} ms: {medians[1] / medians[0]:.2f} times")
    assert medians[1] <= MOST * medians[0]
