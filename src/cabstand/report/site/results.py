"""What the site shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cabstand.report.content import Content, Json


@dataclass(frozen=True)
class Results:
    """Everything that there is in the lake and in MLflow; what is empty has not been made yet."""

    content: Content | None = None  # the newest clustering and what belongs to it
    prices: Sequence[Json] = ()  # of a million trips with each engine, the cheapest first
    price_date: str = ""  # of the oldest price
    problems: Mapping[str, Json] = field(default_factory=dict)  # versions, champion, challenger, decisions
    monitoring: Sequence[Json] = ()  # decisions with their outcomes, the newest first
    runs: Sequence[Json] = ()  # of pipeline and workflows, the newest first: summary, `manifest`, `compared`, `earlier`
    tracked: Sequence[Json] = ()  # runs in MLflow, the newest first
    evidence: Json | None = None
    cost: Json | None = None  # of a Terraform plan

    @property
    def is_empty(self) -> bool:
        """Whether nothing has been done yet."""
        return not any((self.content, self.problems, self.monitoring, self.runs, self.tracked, self.evidence))

    @property
    def synthetic(self) -> bool:
        """Whether any of it was made from synthetic trips."""
        models = (version for one in self.problems.values() for version in one["versions"])
        return bool(self.content and self.content.synthetic) or any(one.get("synthetic") for one in models)
