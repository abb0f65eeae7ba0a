"""What a decision of the monitor is, and the rules that it follows from."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from cabstand.monitoring.worsening import Limits

Action = Literal["none", "watch", "retrain"]
Number = str | int | float | bool | None


@dataclass(frozen=True)
class Rules:
    """The limits that a decision follows from.

    Attributes
    ----------
    min_rows : int
        Least number of rows of a window, and of its rows whose truth is known.
    breaches : int
        Windows in a row that must breach.
    cooldown : timedelta
        Least time between two retrainings: between the moments at which they are asked for, and between the ends of the
        windows that ask, so that a wrong clock does not bring them closer together.
    volume_change : float
        Relative loss of rows a day that counts as drift; the gain that undoes it counts as well.
    use_estimate : bool
        Whether the error estimated from the predictions counts while the truth is not known.
    """

    min_rows: int = 5_000
    breaches: int = 1
    cooldown: timedelta = timedelta(days=7)
    limits: Limits = field(default_factory=Limits)
    volume_change: float = 0.5
    use_estimate: bool = False


@dataclass(frozen=True)
class Decision:
    """What is to be done about one window.

    Attributes
    ----------
    key : str
        The window's: the same for the same window of the same model. With the truth it is another one than without.
    start, end, at : datetime
        UTC: the window's ends, and when it was decided on.
    reason : str
        One line with the numbers.
    n : int
        Rows of the window.
    breaches : int
        Disjoint windows in a row that breach in the way that `action` is about, this one included.
    data, worse : bool or None
        Whether the data drifted, and whether the model does worse; None if that is not known.
    """

    key: str
    problem: str
    version: str
    start: datetime
    end: datetime
    at: datetime
    action: Action
    reason: str
    n: int
    breaches: int
    data: bool
    worse: bool | None
    numbers: dict[str, Number] = field(default_factory=dict)
