"""One environment of one project, as its resources are named and tagged in the AWS account."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Deployment:
    """Resources tagged `Project` and `Environment`, and named `<project>-<environment>-...`."""

    project: str
    environment: str

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
