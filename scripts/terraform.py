"""Terraform on infra/: `terraform.py bootstrap|leave [-y]`, or `terraform.py <environment> <command and arguments>`.

What each command needs besides is added by `cabstand.account.terraform`: backend, variables, plugins, an emulator.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cabstand.account import emptying, state, terraform
from cabstand.account.root import Root
from cabstand.errors import CabstandError, ConfigError
from cabstand.io import aws

INFRA = Path(__file__).resolve().parents[1] / "infra"


def main(words: list[str]) -> int:
    """Run what `words` ask for and return the exit code; an error of ours is one line."""
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")  # of the states; the provider is told by `region`
    try:
        match words:
            case ["bootstrap", *rest]:
                return bootstrap(rest)
            case ["leave", *rest]:
                return leave(rest)
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
    arguments = bootstrap_arguments(rest)
    there = bucket_exists(root.state_bucket)
    if there:
        state.refuse_locked(root)
    code = begin(root, there) or terraform.execute(root, "apply", *arguments)
    if not code and not there:
        override(root).write_text(BACKEND, encoding="utf-8")
        code = terraform.execute(root, "init", "-migrate-state", "-force-copy", *terraform.backend(root))
        if not code:
            forget_local_state(root)
    return code


def leave(rest: list[str]) -> int:
    """Remove what the bootstrap made, states and all, once no environment is left; may be run again."""
    root = Root(INFRA / "bootstrap", "bootstrap")
    there = bucket_exists(root.state_bucket)
    moved = any(root.folder.glob("terraform.tfstate"))  # by a run that went no further
    code = 0
    if there:
        state.refuse_locked(root)
        refuse_environments(root)
    if there and not moved:
        code = begin(root, there)
        override(root).unlink(missing_ok=True)
        code = code or terraform.execute(root, "init", "-migrate-state", "-force-copy")
    else:
        code = begin(root, False)
    # The question comes after all that can be taken back, and before anything is deleted.
    code = code or terraform.execute(root, "plan", "-destroy", *bootstrap_arguments([]))
    if code or not confirmed(rest):
        return code or 1
    if there:
        emptying.empty_bucket(root.state_bucket)
    code = terraform.execute(root, "destroy", "-auto-approve", *bootstrap_arguments([]))
    if not code:
        forget_local_state(root)
    return code


def confirmed(rest: list[str]) -> bool:
    """Return whether the bootstrap's end is meant: `-y`, or the word typed."""
    return rest == ["-y"] or input("Everything above goes, the states too. Type 'leave': ").strip() == "leave"


BACKEND = 'terraform {\n  backend "s3" {}\n}\n'


def override(root: Root) -> Path:
    """Return the file that names the kind of backend; not committed: it would stand in the way of the first run."""
    return root.folder / "backend_override.tf"


def begin(root: Root, there: bool) -> int:
    """Init where the state is: in its bucket, or here before there is one."""
    override(root).unlink(missing_ok=True)
    if there:
        override(root).write_text(BACKEND, encoding="utf-8")
    return terraform.execute(root, "init", "-reconfigure", *(terraform.backend(root) if there else []))


def bootstrap_arguments(rest: list[str]) -> list[str]:
    """Return the bootstrap's variables, and what was typed."""
    repository = os.environ.get("GITHUB_REPOSITORY", "")
    given = [f"-var=github_repository={repository}"] if repository else []
    return given + terraform.emulator_variable() + (["-auto-approve"] if rest == ["-y"] else rest)


def forget_local_state(root: Root) -> None:
    """Remove the state that was kept here."""
    for left in root.folder.glob("terraform.tfstate*"):
        left.unlink()


def refuse_environments(root: Root) -> None:
    """Refuse to remove the states of what is still there.

    Raises
    ------
    ConfigError
        If an environment's state holds anything.
    """
    for file in sorted((INFRA / "environments").glob("*.s3.tfbackend")):
        environment = file.name.split(".")[0]
        of_its_own = environment not in {"bootstrap", "emulator"}
        held = state.resources(Root(INFRA, environment, root.project)) if of_its_own else []
        if held:
            hint = f"make destroy ENV={environment} first"
            raise ConfigError(f"holds {len(held)} resources", where=f"state of {environment}", hint=hint)


def bucket_exists(name: str) -> bool:
    """Return whether the account has been bootstrapped."""
    s3 = aws.client("s3")
    with aws.refusals(f"bucket {name}"):
        try:
            s3.head_bucket(Bucket=name)
        except s3.exceptions.ClientError as error:
            if aws.error_code(error) in {"404", "NoSuchBucket"}:
                return False
            raise
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
