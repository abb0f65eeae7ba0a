"""Run Terraform on infra/: `terraform.py bootstrap|leave [-y]` or `terraform.py <environment> <command> [arguments]`.

`cabstand.account.terraform` adds what each command needs: backend, variables, plugins, the emulator's address.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cabstand.account import emptying, github, state, terraform
from cabstand.account.root import Root
from cabstand.errors import CabstandError, ConfigError
from cabstand.io import aws

INFRA = Path(__file__).resolve().parents[1] / "infra"


def main(words: list[str]) -> int:
    """Run the given command and return its exit code; an error is one line."""
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")  # for the states; the provider uses the variable `region`
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
    """Create what an account needs once, and move its state into the bucket it creates; can be run again."""
    root = Root(INFRA / "bootstrap", "bootstrap")
    exists = bucket_exists(root.state_bucket)
    if exists:
        state.refuse_locked(root)
    arguments = bootstrap_arguments(github.bootstrap_variables(root), rest)
    code = initialise(root, exists) or terraform.execute(root, "apply", *arguments)
    if not code and not exists:
        override(root).write_text(BACKEND, encoding="utf-8")
        code = terraform.execute(root, "init", "-migrate-state", "-force-copy", *terraform.backend(root))
        if not code:
            forget_local_state(root)
    return code


def leave(rest: list[str]) -> int:
    """Remove what the bootstrap created, including all states, once no environment is left; can be run again."""
    root = Root(INFRA / "bootstrap", "bootstrap")
    exists = bucket_exists(root.state_bucket)
    moved = any(root.folder.glob("terraform.tfstate"))  # by an earlier run that was interrupted
    code = 0
    if exists:
        state.refuse_locked(root)
        refuse_environments(root)
    if exists and not moved:
        code = initialise(root, exists)
        override(root).unlink(missing_ok=True)
        code = code or terraform.execute(root, "init", "-migrate-state", "-force-copy")
    else:
        code = initialise(root, False)
    # Ask after all steps that can be undone, and before anything is deleted.
    code = code or terraform.execute(root, "plan", "-destroy", *bootstrap_arguments(NO_REPOSITORY, []))
    if code or not confirmed(rest):
        return code or 1
    for name in emptying.repositories(root.project):
        if name.startswith(f"{root.project}/"):
            emptying.empty_repository(name)
    if exists:
        emptying.empty_bucket(root.state_bucket)
    code = terraform.execute(root, "destroy", "-auto-approve", *bootstrap_arguments(NO_REPOSITORY, []))
    if not code:
        forget_local_state(root)
    return code


def confirmed(rest: list[str]) -> bool:
    """Return whether `-y` was given or `leave` is typed."""
    return (
        rest == ["-y"]
        or input("Everything above is destroyed, and all states with it. Type 'leave' to confirm: ").strip() == "leave"
    )


BACKEND = 'terraform {\n  backend "s3" {}\n}\n'


def override(root: Root) -> Path:
    """Return the file that selects the S3 backend; not committed, because the first run has no bucket yet."""
    return root.folder / "backend_override.tf"


def initialise(root: Root, exists: bool) -> int:
    """Run init with the state in its bucket or, before the bucket exists, on this machine."""
    override(root).unlink(missing_ok=True)
    if exists:
        override(root).write_text(BACKEND, encoding="utf-8")
    return terraform.execute(root, "init", "-reconfigure", *(terraform.backend(root) if exists else []))


# Terraform wants a value for each variable even to destroy, which no value changes.
NO_REPOSITORY = {"github_repository": "none/none", "github_repository_id": "1", "github_owner_id": "1"}


def bootstrap_arguments(variables: dict[str, str], rest: list[str]) -> list[str]:
    """Return the bootstrap's variables and the given arguments."""
    given = [f"-var={name}={value}" for name, value in variables.items()]
    return given + terraform.emulator_variable() + (["-auto-approve"] if rest == ["-y"] else rest)


def forget_local_state(root: Root) -> None:
    """Delete the state on this machine."""
    for file in root.folder.glob("terraform.tfstate*"):
        file.unlink()


def refuse_environments(root: Root) -> None:
    """Refuse to remove the states of environments that still exist.

    Raises
    ------
    ConfigError
        If the state of an environment holds resources.
    """
    for file in sorted((INFRA / "environments").glob("*.s3.tfbackend")):
        environment = file.name.split(".")[0]
        if environment in {"bootstrap", "emulator"}:
            continue
        if held := state.resources(Root(INFRA, environment, root.project)):
            hint = f"make destroy ENV={environment} first"
            raise ConfigError(f"holds {len(held)} resources", where=f"state of {environment}", hint=hint)


def bucket_exists(name: str) -> bool:
    """Return whether the account has been bootstrapped."""
    return bool(aws.call("s3", "head_bucket", missing_ok=True, Bucket=name))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
