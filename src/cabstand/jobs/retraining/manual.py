"""A person's request for retraining, in the ledger like the monitor's: the cool-down counts from it, too."""

from __future__ import annotations

from datetime import datetime

from cabstand.io import ledger, pointer
from cabstand.jobs.retraining import OUTCOME
from cabstand.monitoring.policy import Decision
from cabstand.monitoring.times import stamp
from cabstand.settings import Settings

END = "-manual"
_LOOK_BACK = 20  # records


def key(settings: Settings, problem: str, why: str, now: datetime) -> str:
    """Return the key of a person's newest request that is not finished, or of a new one."""
    lake = settings.lake_uri
    for one in reversed(ledger.read(lake, problem, _LOOK_BACK)):
        if one.key.endswith(END) and ledger.outcome(lake, problem, one.key, OUTCOME) is None:
            return one.key
    current, _ = pointer.read(settings.artifacts_uri, problem)
    new = Decision(
        f"{stamp(now)}-{stamp(now)}{END}", problem, current.champion if current else "", now, now, now,
        action="retrain", reason=f"asked for by a person: {why or 'no reason given'}", n=0, breaches=0, data=False,
        worse=None,
    )  # fmt: skip
    return ledger.append(lake, problem, new.key, lambda _: new)[0].key
