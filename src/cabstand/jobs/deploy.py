"""Deploy the service: shift its requests step by step to the version that was uploaded, or back.

What an interrupted run left is ended first: a deployment is undone, a rollback finished. Of two runs at once, the later
one wins, and the earlier stops at its next change.
"""

from __future__ import annotations

import logging
import os
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from cabstand.account import alarms, canary, live_alias, service_check, versions
from cabstand.account.canary import Watch
from cabstand.account.deployment import Deployment
from cabstand.account.rollout import Entry, Rollout
from cabstand.errors import ConflictError, TaskError
from cabstand.jobs import predict
from cabstand.monitoring.canary import Comparison
from cabstand.settings import Settings

Action = Literal["deploy", "abort", "rollback"]
ROW = {"pickup_zone": "74", "dropoff_zone": "42", "pickup_at": "2023-03-01T08:15:00"}
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Params:
    """Which environment, and how; `url` is the service's address, which AWS knows and an emulator does not."""

    environment: str = "dev"
    project: str = "cabstand"
    action: Action = "deploy"
    url: str = ""
    canary: canary.Settings = field(default_factory=canary.Settings)

    @property
    def deployment(self) -> Deployment:
        """The environment's resources."""
        return Deployment(self.project, self.environment)


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Deploy, end an unfinished deployment, or roll back; return what the record says of it.

    Raises
    ------
    ConfigError
        If the address or the API key for the check at the end cannot be one; then nothing has changed.
    TaskError
        If there is no version to return to, or the service does not answer at the end; then it was rolled back.
    """
    if params.action == "deploy":
        _require_checkable(settings, params)
    rollout = Rollout.of(params.deployment)
    if settled := rollout.settle():
        _log.warning("an unfinished %s to version %s was %s", settled["kind"], settled["to_version"], settled["state"])
    if params.action == "abort" and not settled:
        return {"function": rollout.function, "state": "unchanged", "reason": "no deployment is under way"}
    if params.action == "abort":
        return _result(rollout, settled)
    if params.action == "rollback":
        return _result(rollout, settled or rollout.roll_back())
    return _deploy(settings, rollout, params)


def _require_checkable(settings: Settings, params: Params) -> None:
    """Refuse what would only fail once all requests have moved."""
    predict.key_of(settings)
    if params.url:
        service_check.require_address(params.url)


def _deploy(settings: Settings, rollout: Rollout, params: Params) -> dict[str, Any]:
    version, live = live_alias.publish(rollout.function), live_alias.read(rollout.function)
    if live.version == version:
        if live.shares:  # by hand: no deployment is under way
            live_alias.shift(rollout.function, live, version)
        return _pruned(rollout, None)
    ringing = alarms.ringing(rollout.function)
    entry = rollout.begin(live, version, asdict(params.canary), sorted(ringing))
    try:
        if not _shifted(rollout, entry, params, frozenset(ringing)):
            return _result(rollout, entry)
        _check(settings, rollout, params)
        rollout.complete(entry)
    except ConflictError:
        raise
    except BaseException as error:  # an interruption, too: requests must not stay split
        rollout.undo(entry, str(error) or type(error).__name__)
        raise
    return _pruned(rollout, entry)


def _shifted(rollout: Rollout, entry: Entry, params: Params, ringing: frozenset[str]) -> bool:
    """Shift and watch, step by step; return whether the new version got all requests, and not: was refused."""
    watch = Watch(rollout.function, params.canary, entry["to_version"], entry["from_version"], ringing)
    for share in params.canary.shares:
        step = rollout.shift(entry, share)
        _log.info("version %s gets %.0f %% of the requests", entry["to_version"], share * 100)
        step["found"], refused = watch.step(share, _tell)
        if refused:
            rollout.undo(entry, refused)
            return False
    return True


def _tell(found: Comparison) -> None:
    parts = (found.n_new, found.failed_new, found.n_old, found.failed_old)
    _log.info("new version: %d requests, %d failed; old version: %d, %d", *parts)


def _check(settings: Settings, rollout: Rollout, params: Params) -> None:
    """Check the service from outside, with a prediction if there is a key."""
    url = params.url or ("" if os.environ.get("AWS_ENDPOINT_URL") else service_check.address(rollout.function))
    if url and service_check.check(url) and settings.api_key.get_secret_value():
        try:
            predict.run(settings, predict.Params(url, row=ROW))
        except TaskError as error:
            raise TaskError(f"no prediction: {error}", where=url) from error


def _pruned(rollout: Rollout, entry: Entry | None) -> dict[str, Any]:
    """Delete the versions that are too old to return to, and return the result."""
    before = rollout.before(live_alias.read(rollout.function))
    deleted, kept = versions.prune(rollout.function, keep=1, also=before)
    return _result(rollout, entry) | {"versions_deleted": deleted, "versions_kept": kept}


def _result(rollout: Rollout, entry: Entry | None) -> dict[str, Any]:
    live = live_alias.read(rollout.function).version
    found = entry or {"state": "unchanged", "reason": f"version {live} is live"}
    return {"function": rollout.function, "version": live, "record_uri": rollout.record.uri} | found
