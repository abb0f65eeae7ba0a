"""`make fuzz`: send generated requests to a real server, then search its log for the API key.

Checks: no server error, and every answer has a status, a content type and a body that the OpenAPI document describes.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from serving import get, make_home, serving

CHECKS = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schemathesis", required=True)
    parser.add_argument("--cases", type=int, default=10_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        key = make_home(home)
        log = home / "server.log"
        with serving(home, log) as server:
            document = json.loads(get(f"{server.url}/openapi.json")[1])
            listed = [one for methods in document["paths"].values() for one in methods.values()]
            # An operation without input is one case, however many are requested.
            operations = sum("requestBody" in one or "parameters" in one for one in listed)
            done = fuzz(given.schemathesis, server.url, key, home, given.cases // operations * 11 // 10)
            n_requests = sum(int(n) for n in re.findall(rb"seconds_count\S* (\d+)", metrics(server.url, key)))
            lines = [line for line in metrics(server.url, key).splitlines() if b'"/readyz"' not in line]
            failed = [line for line in lines if re.search(rb'requests_total\S*status="5', line)]
            code = server.stop()
        leaked = key in log.read_text() or key in done.stdout
    verdict = {"exit": done.returncode, "requests": n_requests, "answers_5xx": len(failed), "server_exit": code}
    print(done.stdout[-3000:], json.dumps(verdict | {"key_in_log": leaked}), sep="\n")
    sys.exit(bool(done.returncode or failed or leaked or code or n_requests < given.cases))


def metrics(url: str, key: str) -> bytes:
    return get(f"{url}/metrics", x_api_key=key)[1]


def fuzz(tool: str, url: str, key: str, home: Path, n_each: int) -> subprocess.CompletedProcess[str]:
    """Run schemathesis; it reads the key from its environment, so that no process list shows it."""
    config = home / "schemathesis.toml"
    config.write_text(
        'headers = { x-api-key = "${FUZZ_KEY}" }\n'
        '[generation]\nmode = "all"\n'
        f'max-examples = {n_each}\ndatabase = "none"\n'
        "[output]\nsanitization.enabled = true\n"
    )
    command = [str(Path(tool).absolute()), "--config-file", str(config), "run", f"{url}/openapi.json", "--workers", "2"]
    command += ["--phases", "examples,coverage,fuzzing", "--checks", ",".join(CHECKS), "--continue-on-failure"]
    command += ["--suppress-health-check", "all", "--no-color"]
    environment = os.environ | {"FUZZ_KEY": key}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=home, check=False)


if __name__ == "__main__":
    main()
