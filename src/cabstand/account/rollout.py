"""The changes of a deployment: each is recorded, then made, so that the next run can end what was begun."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cabstand.account import deployment_record, live_alias
from cabstand.account.deployment import Deployment
from cabstand.account.deployment_record import Record
from cabstand.account.live_alias import Live
from cabstand.errors import TaskError
from cabstand.io.aws import call

DEPLOYMENT, ROLLBACK = "deployment", "rollback"
Entry = dict[str, Any]


@dataclass
class Rollout:
    """The service's function with the record of its deployments."""

    function: str
    record: Record

    @classmethod
    def of(cls, deployment: Deployment) -> Rollout:
        """Read the record of an environment."""
        return cls(deployment.function, deployment_record.read(deployment))

    def settle(self) -> Entry | None:
        """End what a killed run left: a deployment is undone, a rollback finished; return it, None without one."""
        entry = self.record.under_way
        if entry and entry["kind"] == ROLLBACK:
            self._finish_rollback(entry)
        elif entry:
            self.undo(entry, entry.get("reason") or "the run was stopped before its end")
        return entry

    def begin(self, live: Live, version: str, settings: Mapping[str, Any], ringing: list[str]) -> Entry:
        """Record a new deployment, from the version that is live."""
        return self._begin(DEPLOYMENT, live.version, version, settings=settings, ringing_before=ringing, steps=[])

    def shift(self, entry: Entry, share: float) -> Entry:
        """Send a share of the requests to the new version; return the step in the record."""
        step = {"share": share, "began_at": now()}
        entry["steps"].append(step)
        self.record.save()
        old, new = entry["from_version"], entry["to_version"]
        live = live_alias.read(self.function)
        if share < 1:
            live_alias.shift(self.function, live, old, {new: share})
        else:
            live_alias.shift(self.function, live, new)
        return step

    def complete(self, entry: Entry) -> None:
        """Record that a deployment or rollback is done."""
        self._end(entry, "completed")

    def undo(self, entry: Entry, reason: str) -> None:
        """Send all requests to the version before a deployment."""
        entry |= {"state": "rolling back", "reason": reason}
        self.record.save()
        self._end(entry, "rolled back" if self._point(entry, entry["from_version"]) else "abandoned")

    def roll_back(self) -> Entry:
        """Send all requests to the version before the live one.

        Raises
        ------
        TaskError
            If the record knows none, or it was deleted.
        """
        live = live_alias.read(self.function)
        before = self.before(live)
        if not before or not live_alias.has_version(self.function, before):
            what = f"no version before {live.version} to return to"
            raise TaskError(what, where=self.function, hint="deploy an earlier commit instead")
        entry = self._begin(ROLLBACK, live.version, before, reason="rolled back by hand")
        self._finish_rollback(entry)
        return entry

    def before(self, live: Live) -> str:
        """Return the version before the live one, empty if the record knows none."""
        found = (
            one["from_version"]
            for one in self.record.deployments
            if (one["kind"], one["state"], one["to_version"]) == (DEPLOYMENT, "completed", live.version)
        )
        return next(found, "")

    def _begin(self, kind: str, old: str, new: str, **more: Any) -> Entry:
        entry = self.record.begin(
            kind=kind, state="shifting", from_version=old, to_version=new, began_at=now(),
            by=call("sts", "get_caller_identity")["Arn"], **more,
        )  # fmt: skip
        self.record.save()
        return entry

    def _finish_rollback(self, entry: Entry) -> None:
        self._end(entry, "completed" if self._point(entry, entry["to_version"]) else "abandoned")

    def _point(self, entry: Entry, version: str) -> bool:
        """Send all requests to a version; not if the function was made anew, and does not have the entry's versions."""
        live = live_alias.read(self.function)
        if live.version not in {entry["from_version"], entry["to_version"]}:
            return False
        if not live_alias.has_version(self.function, version):
            return False
        live_alias.shift(self.function, live, version)
        return True

    def _end(self, entry: Entry, state: str) -> None:
        entry |= {"state": state, "ended_at": now()}
        self.record.save()


def now() -> str:
    """Return the time in UTC, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
