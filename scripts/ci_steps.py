"""What the steps of a workflow call under `make ci-local`: `ci_steps.py make TARGET... | assume | skipped`.

Here stands what a laptop runs otherwise than GitHub does, or not at all, with the reason.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

IMPOSSIBLE = {
    **dict.fromkeys(
        ("images", "check-images", "publish-images", "index-images"),
        "needs a container engine and registries; tests/test_publish_images.py has some of its own",
    ),
    "run-task": "the bare emulator runs no task; tests/local/runner/test_run_task.py runs one with its runner",
    "audit": "needs the service osv.dev; tests/test_audit.py asks one like it",
    "github-release": "needs GitHub; tests/test_package_release.py has a command like its own",
    "publish": "needs the package index; tests/test_package_release.py uploads to one like it",
    "programs": "installs programs on this machine",
    "push-images": "needs a container engine and a registry; `make test-containers` builds and runs the images",
}
# ALL=1 runs them, too.
OWN_LANES = (
    "infra-check", "scan", "test", "test-containers", "test-infra", "test-lambda", "test-localstack", "test-mutants",
    "test-prometheus", "test-python", "test-slow", "test-wheel", "workflows-check",
)  # fmt: skip
REPOSITORY, REPOSITORY_ID, OWNER_ID = "example/cabstand", "789", "456"
ISSUER = "token.actions.githubusercontent.com"


def reason(target: str) -> str:
    """Return why a make target is not run here; empty if it is."""
    if target in OWN_LANES and not os.environ.get("ALL"):
        return "is a lane of its own"
    return IMPOSSIBLE.get(target, "")


def make(words: list[str]) -> int:
    """Run a target in the job's copy of the repository, with this virtual environment."""
    if why := reason(words[0]):
        return skip(f"make {words[0]}", why)
    venv = sys.prefix  # not installed again, although the copy's files are newer
    given = [f"VENV={venv}", "-o", f"{venv}/.installed-dev", "-o", f"{venv}/.installed-run"]
    env = os.environ | {"PYTHONPATH": str(Path.cwd() / "src"), "GITHUB_API_URL": os.environ["CI_LOCAL_GITHUB_API"]}
    return subprocess.run([os.environ["CI_LOCAL_MAKE"], *given, *words], env=env, check=False).returncode


def skip(what: str, why: str) -> int:
    """Say and record that something is not run here."""
    print(f"skipped: {what}: {why}")  # noqa: T201
    with Path(os.environ["CI_LOCAL_SKIPPED"]).open("a", encoding="utf-8") as file:
        file.write(f"{what}: {why}\n")
    return 0


def assume() -> int:
    """Assume the role that the job asks for, if it trusts the job's token, and hand the session to the next steps."""
    import boto3

    from cabstand.local.permissions import applied
    from cabstand.local.permissions.decision import Request, trusts

    role, region, claims = os.environ["ROLE"], os.environ["REGION"], token_claims(this_job())
    keys = {"aws_access_key_id": "emulator", "aws_secret_access_key": "emulator"}  # pragma: allowlist secret
    document = applied.trust(boto3.client("iam", region_name=region, **keys), role.rpartition("/")[2])
    context = {f"{ISSUER}:{name}": value for name, value in claims.items()}
    if not trusts(document, Request("sts:AssumeRoleWithWebIdentity", "*", context)):
        sys.exit(f"{role} does not trust a token with {claims}")
    answer = boto3.client("sts", region_name=region, **keys).assume_role_with_web_identity(
        RoleArn=role,
        RoleSessionName="GitHubActions",
        WebIdentityToken=unsigned(claims),
        DurationSeconds=int(os.environ["DURATION"]),
    )
    hand_on(answer["Credentials"], region)
    print(f"assumed {role} as {claims['sub']}")  # noqa: T201
    return 0


def hand_on(session: dict[str, str], region: str) -> None:
    """Set the next steps' environment, as GitHub's action does."""
    values = {
        "AWS_ACCESS_KEY_ID": session["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
        "AWS_SESSION_TOKEN": session["SessionToken"],
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
    }
    with Path(os.environ["GITHUB_ENV"]).open("a", encoding="utf-8") as file:
        file.writelines(f"{name}={value}\n" for name, value in values.items())


def token_claims(job: dict[str, Any]) -> dict[str, str]:
    """Return the claims of the token that GitHub would give a job; exit if it would give none."""
    if job["permissions"].get("id-token") != "write":
        sys.exit("the job may not get a token: it has no permission id-token: write")
    ref, environment = os.environ["GITHUB_REF"], {}
    subject = "pull_request" if os.environ["GITHUB_EVENT_NAME"] == "pull_request" else f"ref:{ref}"
    if "environment" in job:
        environment = {"environment": os.environ["ENV"]}  # the job's variable has the same value
        subject = f"environment:{environment['environment']}"
    owner, name = REPOSITORY.split("/")
    return environment | {
        "sub": f"repo:{owner}@{OWNER_ID}/{name}@{REPOSITORY_ID}:{subject}",
        "aud": "sts.amazonaws.com",
        "ref": ref,
        "repository_id": REPOSITORY_ID,
        "repository_owner_id": OWNER_ID,
    }


def this_job() -> dict[str, Any]:
    """Return the job that is running, from its workflow."""
    import yaml

    workflows = [yaml.safe_load(path.read_text()) for path in Path(".github/workflows").glob("*.yml")]
    found = next(one for one in workflows if one["name"] == os.environ["GITHUB_WORKFLOW"])
    job: dict[str, Any] = found["jobs"][os.environ["GITHUB_JOB"]]
    return job


def unsigned(claims: dict[str, str]) -> str:
    """Return a JSON Web Token without a signature: nothing here checks one."""
    parts = [{"alg": "none"}, claims | {"iss": f"https://{ISSUER}", "exp": time.time() + 300}]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, ""])


def main(words: list[str]) -> int:
    """Run one step."""
    match words:
        case ["make", *rest] if rest:
            return make(rest)
        case ["assume"]:
            return assume()
        case ["skipped"]:
            return skip(os.environ.get("GITHUB_ACTION_REPOSITORY", "an action"), "what it installs or keeps is here")
    print(__doc__, file=sys.stderr)  # noqa: T201
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
