"""`make audit` looks up every package of every lock, and passes only if the service has answered about each of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

ROOT = Path(__file__).resolve().parents[1]
LOCK = """\
# made by a tool
numpy==2.1.0 \\
    --hash=sha256:00
pywin32==311 ; sys_platform == 'win32' \\
    --hash=sha256:01
Foo_Bar[extra]==1.0
"""
KNOWN = {"id": "GHSA-1", "summary": "Reads too far", "aliases": ["CVE-2026-1"]}
Answer = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    file = tmp_path / "lock.txt"
    file.write_text(LOCK)
    return file


def audit(address: str, *locks: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, str(ROOT / "scripts/audit.py"), *map(str, locks)]
    done = subprocess.run(line, env=os.environ | {"OSV_URL": address}, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def service(server: HTTPServer, answer: Answer, details: dict[str, Any] | None = None) -> str:
    """Serve answers to the queries, and details of the vulnerabilities; return the address."""

    def batch(request: Request) -> Response:
        results = [answer(query) for query in json.loads(request.data)["queries"]]
        return Response(json.dumps({"results": results}), content_type="application/json")

    server.expect_request("/v1/querybatch").respond_with_handler(batch)
    server.expect_request("/v1/vulns/GHSA-1").respond_with_json(KNOWN | (details or {}))
    return server.url_for("")


def of_numpy(query: dict[str, Any]) -> dict[str, Any]:
    return {"vulns": [{"id": "GHSA-1"}]} if query["package"]["name"] == "numpy" else {}


def test_every_package_is_asked_about_whatever_its_platform(httpserver: HTTPServer, lock: Path) -> None:
    asked = []
    done = audit(service(httpserver, lambda query: asked.append(query) or {}), lock)  # type: ignore[func-returns-value]
    assert sorted((one["package"]["name"], one["version"]) for one in asked) == [
        ("foo-bar", "1.0"),
        ("numpy", "2.1.0"),
        ("pywin32", "311"),
    ]
    assert done.stdout == "audit: 3 packages of 1 locks, 0 known vulnerabilities\n"


def test_a_known_vulnerability_fails(httpserver: HTTPServer, lock: Path) -> None:
    done = audit(service(httpserver, of_numpy), lock, code=1)
    assert "VULNERABLE: numpy 2.1.0: GHSA-1: Reads too far" in done.stdout


def test_a_withdrawn_one_does_not(httpserver: HTTPServer, lock: Path) -> None:
    audit(service(httpserver, of_numpy, {"withdrawn": "2026-01-01T00:00:00Z"}), lock)


def test_the_second_page_counts(httpserver: HTTPServer, lock: Path) -> None:
    def answer(query: dict[str, Any]) -> dict[str, Any]:
        return of_numpy(query) if "page_token" in query else {"next_page_token": "2"}

    assert "GHSA-1" in audit(service(httpserver, answer), lock, code=1).stdout


@pytest.mark.parametrize("results", [[{}], [], None, 3, [{}, None, {}], [{}, "none", {}]])
def test_a_skipped_package_fails(httpserver: HTTPServer, lock: Path, results: Any) -> None:
    httpserver.expect_request("/v1/querybatch").respond_with_json({"results": results})
    [line] = audit(httpserver.url_for(""), lock, code=1).stderr.splitlines()
    assert "none may be skipped" in line


@pytest.mark.parametrize("answer", [{"vulns": [{}]}, {"vulns": 1}, {"vulns": ["GHSA-1"]}])
def test_an_answer_of_another_form_is_one_line(httpserver: HTTPServer, lock: Path, answer: Any) -> None:
    [line] = audit(service(httpserver, lambda _: answer), lock, code=1).stderr.splitlines()
    assert "cannot be read, so nothing is known" in line


@pytest.mark.parametrize("content", ["{", "[]", '{"packages": []}', '{"packages": {"node_modules/a": {}}}'])
def test_an_odd_lock_is_one_line(httpserver: HTTPServer, tmp_path: Path, content: str) -> None:
    path = tmp_path / "package-lock.json"
    path.write_text(content)
    for lock in (path, tmp_path / "absent.txt"):
        [line] = audit(service(httpserver, lambda _: {}), lock, code=1).stderr.splitlines()
        assert f"{lock} cannot be read, so nothing is known" in line


@pytest.mark.parametrize("line", ["-e .", "numpy>=2", "https://example.org/a.whl", "-r other.txt"])
def test_a_line_that_pins_nothing_fails(httpserver: HTTPServer, lock: Path, line: str) -> None:
    lock.write_text(f"{LOCK}{line}\n")
    [told] = audit(service(httpserver, lambda _: {}), lock, code=1).stderr.splitlines()
    assert f"skips `{line}`" in told


def test_without_an_answer_one_line_says_so(lock: Path, httpserver: HTTPServer) -> None:
    [line] = audit("http://127.0.0.1:9", lock, code=1).stderr.splitlines()
    assert "gave no answer, so nothing is known" in line
    httpserver.expect_request("/v1/querybatch").respond_with_data("busy", status=503)
    [line] = audit(httpserver.url_for(""), lock, code=1).stderr.splitlines()
    assert "503" in line


def test_our_own_locks_can_be_read(httpserver: HTTPServer) -> None:
    asked: set[str] = set()
    address = service(httpserver, lambda query: asked.add(query["package"]["ecosystem"]) or {})  # type: ignore[func-returns-value]
    n_locks = len([*(ROOT / "requirements").glob("*.txt"), *(ROOT / "scripts").glob("*/package-lock.json")])
    assert f"packages of {n_locks} locks, 0 known" in audit(address).stdout
    assert asked == {"PyPI", "npm"}


@pytest.mark.parametrize(("until", "code"), [("2999-01-01", 0), ("2020-01-01", 1)])
@pytest.mark.parametrize("name", ["GHSA-1", "CVE-2026-1"])
def test_an_accepted_one_passes_until_its_date(
    httpserver: HTTPServer, lock: Path, tmp_path: Path, name: str, until: str, code: int
) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "requirements").mkdir()
    script = tmp_path / "scripts/audit.py"
    script.write_text((ROOT / "scripts/audit.py").read_text())
    (tmp_path / "requirements/accepted.toml").write_text(f'[{name}]\nwhy = "not reached"\nuntil = {until}\n')
    env = os.environ | {"OSV_URL": service(httpserver, of_numpy)}
    done = subprocess.run([sys.executable, script, lock], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout
    assert done.stdout.startswith("VULNERABLE" if code else "accepted")
