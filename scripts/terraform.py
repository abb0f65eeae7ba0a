"""Terraform on infra/: `terraform.py bootstrap [-y]`, or `terraform.py <environment> <command and arguments>`.

Adds what each command needs: the state's backend, the environment's variables, TF_PLUGIN_DIR where it is set (a machine
that has the provider on disk and no registry), and, where AWS_ENDPOINT_URL is set, an emulator in place of AWS.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

INFRA = Path(__file__).resolve().parents[1] / "infra"
PROJECT = "cabstand"
TAKES_VARIABLES = {"plan", "apply", "destroy", "refresh", "import", "console"}


def main(words: list[str]) -> int:
    """Run what `words` ask for and return Terraform's exit code."""
    match words:
        case ["bootstrap", *rest]:
            return bootstrap(rest)
        case [environment, command, *rest] if (INFRA / f"environments/{environment}.tfvars").is_file():
            return run_in(environment, command, rest)
    print(__doc__, file=sys.stderr)  # noqa: T201
    return 2


def run_in(environment: str, command: str, rest: list[str]) -> int:
    """Run one Terraform command on an environment; `init` is done first where it has not been."""
    data = data_folder(environment)
    if command == "init" or not (data / "terraform.tfstate").is_file():
        code = terraform(INFRA, data, "init", "-reconfigure", *backend(environment))
        if code or command == "init":
            return code
    # A saved plan holds its variables already.
    saved_plan = command == "apply" and any(Path(word).is_file() for word in rest)
    variables = variables_of(environment) if command in TAKES_VARIABLES and not saved_plan else []
    return terraform(INFRA, data, command, *variables, *rest)


def bootstrap(rest: list[str]) -> int:
    """Make what an account needs once, and move the state of that into the bucket it makes; may be run again."""
    folder, data = INFRA / "bootstrap", data_folder("bootstrap")
    override = folder / "backend_override.tf"  # not committed: it would stand in the way of the first run
    repository = os.environ.get("GITHUB_REPOSITORY", "")
    arguments = [f"-var=github_repository={repository}"] if repository else []
    arguments += emulator_variable() + (["-auto-approve"] if rest == ["-y"] else rest)
    there = bucket_exists(state_bucket())
    override.unlink(missing_ok=True)
    if there:
        write_backend(override)
    code = terraform(folder, data, "init", "-reconfigure", *(backend("bootstrap") if there else []))
    code = code or terraform(folder, data, "apply", *arguments)
    if not code and not there:
        write_backend(override)
        code = terraform(folder, data, "init", "-migrate-state", "-force-copy", *backend("bootstrap"))
        if not code:
            for left in folder.glob("terraform.tfstate*"):
                left.unlink()
    return code


def write_backend(file: Path) -> None:
    """Name the kind of backend; where it is, `init` is told."""
    file.write_text('terraform {\n  backend "s3" {}\n}\n', encoding="utf-8")


def backend(environment: str) -> list[str]:
    """Return the arguments of `init` that say where an environment's state is kept."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    settings = {"bucket": state_bucket(), "key": f"{environment}/terraform.tfstate"}
    if endpoint:
        file = "emulator.s3.tfbackend"
        settings["endpoints"] = f'{{s3="{endpoint}"}}'
    else:
        file = f"{'dev' if environment == 'bootstrap' else environment}.s3.tfbackend"
    return [f"-backend-config={INFRA}/environments/{file}"] + [f"-backend-config={k}={v}" for k, v in settings.items()]


def variables_of(environment: str) -> list[str]:
    """Return the variable files of an environment, and the emulator's where it stands in for AWS."""
    files = [environment] + (["emulator"] if emulator_variable() else [])
    return [f"-var-file=environments/{name}.tfvars" for name in files] + emulator_variable()


def emulator_variable() -> list[str]:
    """Return the variable that sends the provider to an emulator."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    return [f"-var=emulator_endpoint={endpoint}"] if endpoint else []


def data_folder(environment: str) -> Path:
    """Return where Terraform keeps what it knows of an environment: one folder each, so that none is mistaken."""
    return Path(os.environ.get("TF_DATA_DIR") or INFRA / ".terraform" / environment).absolute()


def state_bucket() -> str:
    """Return the bucket of the states: its name holds the number of the account that the credentials belong to."""
    import boto3

    account = boto3.client("sts", region_name="us-east-1").get_caller_identity()["Account"]
    return f"{PROJECT}-state-{account}"


def bucket_exists(name: str) -> bool:
    """Return whether the account has been bootstrapped."""
    import boto3
    from botocore.exceptions import ClientError

    try:
        boto3.client("s3", region_name="us-east-1").head_bucket(Bucket=name)
    except ClientError as error:
        if error.response["Error"]["Code"] in {"404", "NoSuchBucket"}:
            return False
        raise
    return True


def terraform(folder: Path, data: Path, command: str, *arguments: str) -> int:
    """Run Terraform in a folder and return its exit code."""
    plugins = os.environ.get("TF_PLUGIN_DIR")
    given = [f"-plugin-dir={plugins}"] if plugins and command == "init" else []
    environment = os.environ | {"TF_DATA_DIR": str(data)}
    return subprocess.run(
        ["terraform", f"-chdir={folder}", command, *given, *arguments], env=environment, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
