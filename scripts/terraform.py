"""Terraform on infra/: `terraform.py bootstrap [-y]`, or `terraform.py <environment> <command and arguments>`.

What each command needs besides is added by `cabstand.io.terraform`: backend, variables, plugins, an emulator.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cabstand.errors import CabstandError
from cabstand.io import account, terraform
from cabstand.io.terraform import Root

INFRA = Path(__file__).resolve().parents[1] / "infra"


def main(words: list[str]) -> int:
    """Run what `words` ask for and return the exit code; an error of ours is one line."""
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")  # of the states; the provider is told by `region`
    try:
        match words:
            case ["bootstrap", *rest]:
                return bootstrap(rest)
            case [environment, command, *rest] if (INFRA / f"environments/{environment}.tfvars").is_file():
                return terraform.run(Root(INFRA, environment), command, *rest)
    except CabstandError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code
    print(__doc__, file=sys.stderr)  # noqa: T201
    return 2


def bootstrap(rest: list[str]) -> int:
    """Make what an account needs once, and move the state of that into the bucket it makes; may be run again."""
    root = Root(INFRA / "bootstrap", "bootstrap")
    override = root.folder / "backend_override.tf"  # not committed: it would stand in the way of the first run
    repository = os.environ.get("GITHUB_REPOSITORY", "")
    arguments = [f"-var=github_repository={repository}"] if repository else []
    arguments += terraform.emulator_variable() + (["-auto-approve"] if rest == ["-y"] else rest)
    there = bucket_exists(root.state_bucket)
    override.unlink(missing_ok=True)
    if there:
        terraform.refuse_locked(root)
        write_backend(override)
    code = terraform.execute(root, "init", "-reconfigure", *(terraform.backend(root) if there else []))
    code = code or terraform.execute(root, "apply", *arguments)
    if not code and not there:
        write_backend(override)
        code = terraform.execute(root, "init", "-migrate-state", "-force-copy", *terraform.backend(root))
        if not code:
            for left in root.folder.glob("terraform.tfstate*"):
                left.unlink()
    return code


def write_backend(file: Path) -> None:
    """Name the kind of backend; where it is, `init` is told."""
    file.write_text('terraform {\n  backend "s3" {}\n}\n', encoding="utf-8")


def bucket_exists(name: str) -> bool:
    """Return whether the account has been bootstrapped."""
    s3 = account.client("s3")
    with account.refusals(f"bucket {name}"):
        try:
            s3.head_bucket(Bucket=name)
        except s3.exceptions.ClientError as error:
            if account.error_code(error) in {"404", "NoSuchBucket"}:
                return False
            raise
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
