"""The page at `/docs` in a browser: behind a path prefix, and on a phone."""

from __future__ import annotations

import html
import json
import re
import shlex
import shutil
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cabstand.settings import Settings
from serving import PREDICT, ROW, client_of, get, make_home, serving

PREFIX = "/cabs"
# Opens everything, sends the example of one ride, and says how wide the page is within 390 pixels.
PHONE = """<!doctype html><title>phone</title>
<iframe src="/cabs/docs" width="390" height="844"></iframe><p id="said"></p>
<script>
const frame = document.querySelector("iframe");
setTimeout(async () => {
  const page = frame.contentDocument;
  for (const one of page.querySelectorAll("details")) one.open = true;
  const box = [...page.querySelectorAll("details")].find((one) => one.innerText.includes("/v1/trip-duration/predict"));
  box.querySelector("button").click();
  while (!box.querySelector("pre").textContent) await new Promise((next) => setTimeout(next, 50));
  const root = page.scrollingElement, hidden = [...page.querySelectorAll("td, summary, input, textarea, button")]
    .filter((one) => one.getBoundingClientRect().right > root.clientWidth).length;
  document.querySelector("#said").textContent = JSON.stringify({
    operations: page.querySelectorAll("details").length, answer: box.querySelector("pre").textContent.slice(0, 3),
    page: root.scrollWidth, screen: root.clientWidth, hidden,
    ticks: page.querySelector("main").innerText.split("`").length - 1,
    names: page.querySelectorAll("#about code").length });
}, 1500);
</script>"""


@contextmanager
def proxied(url: str, *, stripped: bool) -> Iterator[str]:
    """A proxy that publishes a service under a prefix, with or without stripping it, and a page with a small frame."""

    class Proxy(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            if self.path == "/phone":
                self.send(200, "text/html", PHONE.encode())
            elif not self.path.startswith(f"{PREFIX}/"):
                self.send(404, "text/plain", b"nothing here")
            else:
                path = self.path.removeprefix(PREFIX) if stripped else self.path
                wanted = {name: self.headers[name] for name in ("x-api-key", "content-type") if name in self.headers}
                request = urllib.request.Request(url + path, body or None, wanted, method=self.command)
                try:
                    found: Any = urllib.request.urlopen(request)
                except urllib.error.HTTPError as error:
                    found = error
                with found:
                    self.send(found.status, found.headers["content-type"], found.read())

        def send(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.slow
@pytest.mark.parametrize("stripped", [True, False])
def test_on_a_phone_behind_a_prefix(tmp_path: Path, stripped: bool) -> None:
    chromium = shutil.which("chromium")
    if not chromium:
        pytest.skip("no chromium on this machine (Debian package chromium)")
    switches = shlex.split(
        "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-sync "
        "--virtual-time-budget=6000 --dump-dom"
    )
    make_home(tmp_path)
    env = {"CABSTAND_API_ROOT_PATH": PREFIX, "CABSTAND_API_KEYS_REQUIRED": "false"}  # pragma: allowlist secret
    with (
        serving(tmp_path, tmp_path / "log", **env) as server,
        proxied(server.url, stripped=stripped) as url,
    ):
        assert json.loads(get(f"{url}{PREFIX}/openapi.json")[1])["servers"] == [{"url": PREFIX}]
        command = [chromium, *switches, f"--user-data-dir={tmp_path / 'browser'}", f"{url}/phone"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=True)
    [said] = re.findall(r'<p id="said">(.*?)</p>', done.stdout)
    found = json.loads(html.unescape(said))
    assert found["operations"] >= 10
    assert found["answer"] == "200"
    assert found["page"] <= found["screen"] <= 390
    assert found["hidden"] == 0
    assert found["ticks"] == 0  # names are set in a type of their own
    assert found["names"] > 0


def test_a_prefix_changes_links_and_no_route(tmp_path: Path) -> None:
    key = make_home(tmp_path)
    client = client_of(Settings(home=tmp_path, api_root_path=PREFIX), key)
    for prefix in ("", PREFIX):
        assert client.get(f"{prefix}/").json()["links"]["docs"] == "/cabs/docs"
        assert client.get(f"{prefix}/readyz").status_code == 200
        assert client.post(prefix + PREDICT, json=ROW).status_code == 200
        assert client.get(f"{prefix}/v1/models", headers={"x-api-key": "no"}).status_code == 401
        assert client.get(f"{prefix}/metrics").status_code == 200
    assert client.get(PREFIX).status_code == 200
    assert client.get("/cabstand/readyz").status_code == 404
    assert client.get("/cabs/cabs/readyz").status_code == 404
    metrics = client.get("/metrics").text
    assert 'cabstand_requests_total{route="/v1/{problem}/predict",status="200"} 2' in metrics
    assert 'cabstand_request_errors_total{route="/v1/models",class="4xx"} 2' in metrics


def test_without_a_prefix_nothing_is_said_of_servers(tmp_path: Path) -> None:
    client = client_of(Settings(home=tmp_path), make_home(tmp_path))
    assert "servers" not in client.get("/openapi.json").json()
    assert client.get("/").json()["links"]["docs"] == "/docs"


@pytest.mark.parametrize("prefix", ["cabs", "/cabs/", "/", "/a b", "//x"])
def test_a_bad_prefix_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        Settings(api_root_path=prefix)
