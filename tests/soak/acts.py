"""What happens during a soak, and when."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from cabstand.io import bundles, pointer
from soak import faults
from soak.faults import Rule
from soak.stand import LATER, PROBLEM, REFRESH_S, SLOWER, Stand
from soak.traffic import Traffic

ARTIFACTS = "s3://soak/artifacts"
WATCH_S = (8.0, 0.02)  # of each step of the canary: seconds, and share of the time if that is longer
CALM = 0.15  # of the time, at the end
_log = logging.getLogger(__name__)


@dataclass
class Run:
    """A soak under way."""

    stand: Stand
    traffic: Traffic
    done: list[tuple[float, float, str]] = field(default_factory=list)  # begin, end, what
    promoted: list[str] = field(default_factory=list)  # versions of the model, in order
    seconds: float = 0.0  # that were asked for
    second: str = ""  # the canary's version of the function
    deployed: str = ""  # what came of the canary
    retrained: str = ""  # what came of the retraining

    def follow(self, seconds: float) -> None:
        """Do everything at its share of the time, or as soon as what comes before it has ended."""
        begun, self.seconds = time.monotonic(), seconds
        for share, name, act in TIMELINE:
            time.sleep(max(0.0, begun + share * seconds - time.monotonic()))
            at = time.time()
            _log.info("%s, after %d answers", name, len(self.traffic.answers))
            act(self)
            self.done.append((at, time.time(), name))
        # Memory is judged at rest: not while a model is loaded beside the one before.
        time.sleep(max(CALM * seconds, begun + seconds - time.monotonic()))


def swap(run: Run) -> None:
    """Publish a new model and promote it; wait until it answers."""
    version = _promote_copy(run)
    run.traffic.wait_for_version(version)


def _promote_copy(run: Run) -> str:
    """Publish the champion's bundle under another version, and point at it."""
    current, tag = pointer.read(ARTIFACTS, PROBLEM)
    assert current is not None
    manifest = bundles.read_manifest(ARTIFACTS, PROBLEM, current.champion)
    files = bundles.read_files(ARTIFACTS, manifest, manifest.files)
    version = f"{current.champion.partition('.')[0]}.{current.sequence + 1}"
    bundles.write(ARTIFACTS, replace(manifest, version=version), files)
    pointer.write(ARTIFACTS, current.promoted(version), current, tag, who="soak", why="soak")
    run.promoted.append(version)
    return version


def break_s3(*rules: Rule) -> Callable[[Run], None]:
    """Return an act that replaces the proxy's rules."""
    return lambda run: run.stand.faults.set(*rules)


def swap_in_outage(run: Run) -> None:
    """Promote a model that nobody can read, and wait until it answers after the outage."""
    run.stand.faults.set(faults.SLOW_DOWN)
    version = _promote_copy(run)
    run.traffic.wait_for(300)
    run.stand.faults.set()
    run.traffic.wait_for_version(version)


def retrain(run: Run) -> None:
    """Let two months come in which rides take longer, and retrain on them; wait until the new model answers."""
    for month in LATER:
        run.stand.synthesise(month, SLOWER)
    found = run.stand.cabstand("retrain", "--dataset", "synth", "--newest", "2", "--why", "soak")
    run.retrained = found["decision"]
    run.promoted.append(found["champion"])
    run.traffic.wait_for_version(found["champion"])


def canary(run: Run) -> None:
    """Deploy a second version of the function, and return to the first."""
    run.stand.change_function()
    watch_s = max(WATCH_S[0], WATCH_S[1] * run.seconds)
    deployed = run.stand.cabstand("deploy", "--watch", str(watch_s), "--every", str(watch_s / 4))
    run.second, run.deployed = deployed["to_version"], deployed["state"]
    run.stand.cabstand("deploy", "--rollback")


def rotate(run: Run) -> None:
    """Make a new key, use it once the function knows it, and revoke the old one."""
    old = run.traffic.key
    run.traffic.key = run.stand.make_key("second", known_in_s=REFRESH_S + 1)
    time.sleep(1 + REFRESH_S)  # until no request with the old one is under way
    run.stand.cabstand("keys", "revoke", old.split("_")[1])
    time.sleep(REFRESH_S + 1)
    run.traffic.revoked = old


# Share of the time, name, and what is done.
TIMELINE: list[tuple[float, str, Callable[[Run], None]]] = [
    (0.04, "new model", swap),
    (0.10, "new model", swap),
    (0.16, "new model", swap),
    (0.20, "S3: 30 % errors", break_s3(faults.ERRORS)),
    (0.23, "new model", swap),
    (0.28, "S3: 30 % resets", break_s3(faults.RESETS)),
    (0.31, "new model", swap),
    (0.36, "retraining", retrain),
    (0.46, "S3: slow", break_s3(faults.LATENCY)),
    (0.49, "new model", swap),
    (0.53, "S3: sound", break_s3()),
    (0.54, "canary", canary),
    (0.64, "key rotation", rotate),
    (0.72, "S3: outage", swap_in_outage),
    (0.80, "new model", swap),
    (0.83, "new model", swap),
]
