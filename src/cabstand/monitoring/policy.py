"""The policy: whether what the monitor saw asks for nothing, for a person to look, or for retraining.

A window breaches if its data drifted, or if the model does worse than on its holdout. Enough breaches in a row ask a
person to look; retraining takes as many windows in a row whose error, bias or coverage is worse beyond doubt, and none
asked for within the cool-down. Windows with too few rows decide nothing and interrupt nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from math import isfinite

from cabstand.monitoring import runs, worsening
from cabstand.monitoring.decisions import Action, Decision, Number, Rules
from cabstand.monitoring.findings import Window
from cabstand.monitoring.times import in_utc, stamp
from cabstand.monitoring.worsening import Check, Limits

__all__ = ["Decision", "Limits", "Rules", "decide", "window_key"]


def window_key(window: Window) -> str:
    """Return the key of a window: a name for files that sorts by time."""
    truth = "-truth" if window.quality is not None else ""
    source = f"-{window.source}" if window.source else ""
    return f"{stamp(window.start)}-{stamp(window.end)}-{window.version}{source}{truth}"


def decide(window: Window, past: Iterable[Decision], rules: Rules, now: datetime) -> Decision:
    """Decide on a window, given the decisions on others in any order; repeated ones count once.

    A window that is decided on already gets the same decision again. Raises a DataError if a time has no zone.
    """
    others = [one for one in past if one.problem == window.problem]
    if known := [one for one in others if one.key == window_key(window)]:
        return min(known, key=lambda one: one.at)
    found = _checks(window, rules)
    seen = _seen(window, found, rules, now)
    if seen.n < rules.min_rows:
        return _acting(seen, "none", 0, f"{seen.n:,} rows, fewer than the {rules.min_rows:,} that decide")
    same = [one for one in others if one.version == window.version and one.n >= rules.min_rows]
    worse = runs.length(seen, same, lambda one: one.worse)
    either = runs.length(seen, same, lambda one: one.data or one.worse is True)
    told = _told(window, found, seen)
    if worse >= rules.breaches:
        if wait := _cooling(seen, others, rules.cooldown):
            return _acting(seen, "watch", worse, f"{told}; {_in_a_row(worse, rules)}, but {wait}")
        return _acting(seen, "retrain", worse, f"{told}; {_in_a_row(worse, rules)}")
    if either >= rules.breaches:
        return _acting(seen, "watch", either, f"{told}; {_in_a_row(either, rules)}, retraining is not confirmed")
    return _acting(seen, "none", either, f"{told}; {_in_a_row(either, rules)}" if either else told)


def _checks(window: Window, rules: Rules) -> tuple[Check, ...]:
    """Return what is known about the model's error: measured on enough rows, else estimated."""
    then = window.quality_then
    if then is None:
        return ()
    if window.quality is not None and window.quality.n >= rules.min_rows:
        return worsening.checks(window.quality, then, rules.limits)
    if window.estimated_mae is not None:
        return (worsening.error(window.estimated_mae, then, rules.limits, "estimated error"),)
    return ()


def _seen(window: Window, found: tuple[Check, ...], rules: Rules, now: datetime) -> Decision:
    """Return a decision on the window alone, which still does nothing."""
    counts = rules.use_estimate or not (found and found[0].name.startswith("estimated"))
    ratio, least = window.volume_ratio, 1.0 - rules.volume_change
    volume = ratio is not None and (ratio <= least or ratio * least >= 1.0)
    drift = window.drift
    return Decision(
        window_key(window), window.problem, window.version, in_utc(window.start), in_utc(window.end), in_utc(now),
        action="none", reason="", n=drift.n_current, breaches=0, data=drift.drifted or volume,
        worse=any(one.worse for one in found) if found and counts else None, numbers=_numbers(window, found),
    )  # fmt: skip


def _numbers(window: Window, found: tuple[Check, ...]) -> dict[str, Number]:
    numbers: dict[str, Number] = {
        "share": window.drift.share,
        "share_threshold": window.drift.share_threshold,
        "drifted": ", ".join(one.column for one in window.drift.columns if one.drifted),
        "volume_ratio": window.volume_ratio,
    }
    for one in found:
        name = one.name.replace(" ", "_")
        numbers |= {name: one.now.value, f"{name}_low": one.now.low, f"{name}_high": one.now.high}
        numbers |= {f"{name}_then": one.then.value, f"{name}_limit": one.limit, f"{name}_worse": one.worse}
    return {name: _known(value) for name, value in numbers.items()}


def _known(number: Number) -> Number:
    """Return a number, or None in the place of one that JSON does not know."""
    return None if isinstance(number, float) and not isfinite(number) else number


def _told(window: Window, found: tuple[Check, ...], seen: Decision) -> str:
    drift = window.drift
    names = [one.column for one in drift.columns if one.drifted]
    columns = f"{len(names)} of {len(drift.columns)} columns drifted" + f" ({', '.join(names)})" * bool(names)
    parts = [f"{columns}, limit {drift.share_threshold:.0%}"]
    if window.volume_ratio is not None and seen.data and not drift.drifted:
        parts.append(f"volume {window.volume_ratio:.2f} times the reference's")
    worse = [one for one in found if one.worse]
    parts += [f"{one} exceeded" for one in worse]
    if not worse:
        parts += [str(one) for one in found[:1]] or ["the error is not known yet"]
    return "; ".join(parts)


def _in_a_row(n: int, rules: Rules) -> str:
    return f"{n} {'breach' if n == 1 else 'breaches'} in a row, {rules.breaches} to act"


def _cooling(seen: Decision, others: list[Decision], cooldown: timedelta) -> str:
    """Return what retraining still waits for, or an empty text."""
    for one in others:
        if one.action == "retrain" and min(seen.at - in_utc(one.at), seen.end - in_utc(one.end)) < cooldown:
            return (
                f"retraining was asked for at {stamp(one.at)} and the cool-down is {cooldown / timedelta(days=1):g} d"
            )
    return ""


def _acting(seen: Decision, action: Action, breaches: int, reason: str) -> Decision:
    return replace(seen, action=action, breaches=breaches, reason=reason)
