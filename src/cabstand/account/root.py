"""One environment of a Terraform root: its folders, and where its state is kept."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cabstand.account.deployment import state_bucket
from cabstand.errors import ConfigError
from cabstand.io.aws import call


@dataclass(frozen=True)
class Root:
    """One environment of a Terraform root."""

    folder: Path  # holds the root's *.tf
    environment: str  # names its variables file and its state
    project: str = "cabstand"  # prefix of the state bucket's name

    def __post_init__(self) -> None:
        if not any(self.folder.glob("*.tf")):
            hint = "run this in the project's folder, or give --infra"
            raise ConfigError("no Terraform here", where=self.folder, hint=hint)

    @property
    def data(self) -> Path:
        """Terraform's working data; each environment has a folder of its own, so that none uses another's backend."""
        return Path(os.environ.get("TF_DATA_DIR") or self.folder / ".terraform" / self.environment).absolute()

    @property
    def imports(self) -> Path:
        """Import blocks that the next apply executes."""
        return self.data / "adopted.tf"

    @property
    def environments(self) -> Path:
        """Folder of backends and variables; the bootstrap, a folder below the root, shares the root's."""
        own = self.folder / "environments"
        return (own if own.is_dir() else self.folder.parent / "environments").absolute()

    @property
    def state_bucket(self) -> str:
        """Bucket of the states, in the account that the credentials belong to."""
        return state_bucket(self.project, call("sts", "get_caller_identity")["Account"])

    @property
    def state_key(self) -> str:
        """Key of the environment's state in that bucket."""
        return f"{self.environment}/terraform.tfstate"
