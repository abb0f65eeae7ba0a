"""One environment of one project, as its resources are named and tagged in the AWS account."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cabstand.errors import ConfigError


def state_bucket(project: str, account: str) -> str:
    """Return the bucket of a project's states; its name ends in the account's number."""
    return f"{project}-state-{account}"


@dataclass(frozen=True)
class Deployment:
    """Resources tagged `Project` and `Environment`, and named `<project>-<environment>-...`."""

    project: str
    environment: str

    def __post_init__(self) -> None:
        for option, name in (("--project", self.project), ("--environment", self.environment)):
            if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", name, re.ASCII):
                what = f"{name[:40]!r} cannot be in the names of resources"
                hint = "it has small letters, digits and hyphens, and does not begin with a hyphen"
                raise ConfigError(what, where=option, hint=hint)

    @property
    def name(self) -> str:
        """The prefix of names; also the name of the ECS cluster and of the schedule group."""
        return f"{self.project}-{self.environment}"

    @property
    def stay_asleep_schedule(self) -> str:
        """The schedule that stops the database every hour while the deployment is asleep."""
        return f"{self.name}-stay-asleep"

    @property
    def function(self) -> str:
        """The prediction service's Lambda function."""
        return f"{self.name}-api"

    def owns(self, tags: list[dict[str, str]]) -> bool:
        """Return whether a resource with these tags belongs to the deployment."""
        values = {tag["Key"]: tag["Value"] for tag in tags}
        return (values.get("Project"), values.get("Environment")) == (self.project, self.environment)
