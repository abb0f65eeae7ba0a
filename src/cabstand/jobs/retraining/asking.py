"""Act on the monitor's decision: ask for retraining, or for a person to look, by an event or in words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from cabstand.io import events, ledger
from cabstand.jobs.retraining import OUTCOME, manual
from cabstand.monitoring.policy import Decision
from cabstand.settings import Settings

_LOOK_BACK = 50  # records


def act(settings: Settings, decision: Decision, *, new: bool) -> dict[str, Any]:
    """Send what the decision asks for; return `event_id` and `next_step`, what a person would do now.

    A request for retraining is sent again, with this decision or a later one, until it is carried out or its cool-down
    is over: whoever made it may have been killed before. The event's key lets its receiver act once.
    """
    steps = [_request(settings, earlier)[1] for earlier in _open(settings, decision)]
    event_id, step = "", ""
    if decision.action == "watch" and new:
        event_id, step = _emit(settings, decision, events.INSPECTION_WANTED), "look at the report"
    elif decision.action == "retrain" and not _is_done(settings, decision):
        event_id, step = _request(settings, decision)
    return {"event_id": event_id, "next_step": "; ".join(filter(None, [*steps, step]))}


def _open(settings: Settings, decision: Decision) -> list[Decision]:
    """Return the monitor's other requests within the cool-down that nobody has carried out."""
    cooldown = timedelta(days=settings.monitor_cooldown_days)
    recent = [
        one
        for one in ledger.read(settings.lake_uri, decision.problem, _LOOK_BACK)
        if one.action == "retrain" and one.key != decision.key and decision.at - one.at < cooldown
    ]
    return [one for one in recent if not one.key.endswith(manual.END) and not _is_done(settings, one)]


def _is_done(settings: Settings, decision: Decision) -> bool:
    return ledger.outcome(settings.lake_uri, decision.problem, decision.key, OUTCOME) is not None


def _request(settings: Settings, decision: Decision) -> tuple[str, str]:
    """Ask for retraining; return the event's id or, if none is sent, the command that carries it out."""
    event_id = _emit(settings, decision, events.RETRAINING_WANTED)
    command = f"cabstand retrain --problem {decision.problem} --key {decision.key}"
    return event_id, "" if event_id else command


def _emit(settings: Settings, decision: Decision, kind: str) -> str:
    return events.emit(settings, detail_of(decision), kind).event_id


def detail_of(decision: Decision) -> dict[str, Any]:
    """Return what an event tells about a decision."""
    names = ("problem", "version", "action", "reason", "start", "end", "breaches", "numbers")
    told = {name: getattr(decision, name) for name in names}
    times = {name: told[name].isoformat() for name in ("start", "end")}
    return {"key": decision.key, **told, **times}
