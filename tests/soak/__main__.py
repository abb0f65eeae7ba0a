"""`make soak`: exit 1 if a condition does not hold; soak.json and soak.html are written either way."""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import signal
import sys
from pathlib import Path

from cabstand import log
from soak import memory, page, verdict
from soak.acts import Run
from soak.stand import serving, standing
from soak.traffic import Traffic


def main() -> int:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=15.0, help="of traffic; more if the acts take longer")
    parser.add_argument("--out", type=Path, default=Path("build/soak"), help="folder of the results and logs")
    given = parser.parse_args()
    log.configure()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))  # so that nothing is left running
    logging.getLogger().setLevel(logging.INFO)
    work = given.out.absolute() / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    found = soak(work, given.minutes * 60, given.out)
    for what, holds in found["checks"].items():
        print(f"{'ok  ' if holds else 'FAIL'} {what}")
    print(json.dumps({name: found[name] for name in ("seconds", "latency_ms", "memory", "predictions", "passed")}))
    return 0 if found["passed"] else 1


def soak(folder: Path, seconds: float, out: Path) -> verdict.Json:
    """Run a soak in a folder; write and return its result."""
    with standing(folder) as stand:
        key = stand.make_key("first")
        with (
            serving(stand),
            memory.watched(stand.gateway(), max(0.5, seconds / 600)) as samples,
            Traffic(stand.url, key) as traffic,
        ):
            run = Run(stand, traffic)
            run.follow(seconds)
        growths = memory.growths(samples)
        found = verdict.result(run, growths, stand.lines(), stand.faults.fired())
    (out / "soak.json").write_text(json.dumps(found, indent=1) + "\n")
    (out / "soak.html").write_text(page.render(found, traffic.answers, samples, run.done))
    return found


if __name__ == "__main__":
    sys.exit(main())
