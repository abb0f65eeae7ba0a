"""Plan, approve and apply: `plans.py review | save | apply ENVIRONMENT`.

`review` plans what a pull request changes and, with PULL_REQUEST, lists it in a comment. `save` plans a release, with
COMMIT compares it with what was reviewed, and saves it; ACCEPT=true takes changes that were not. `apply` applies the
saved plan whose SHA-256 is in DIGEST. TAG names the batch image.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from cabstand.account import plan_changes, reviews, saved_plans
from cabstand.account.plan_changes import Change
from cabstand.account.root import Root
from cabstand.errors import CabstandError, TaskError

INFRA = Path(__file__).resolve().parents[1] / "infra"


def review(root: Root) -> int:
    """Show what a pull request would change, in the job's summary and in a comment."""
    with tempfile.TemporaryDirectory() as folder:
        plan = saved_plans.make(root, Path(folder), tag=given("TAG"))
        text = page(root, plan_changes.changes(plan.shown, tag=given("TAG")), "")
    tell(text)
    if number := given("PULL_REQUEST"):
        reviews.comment(number, root.environment, text)
    return 0


def save(root: Root) -> int:
    """Save the plan of a release, unless it makes changes that nobody has seen."""
    with tempfile.TemporaryDirectory() as folder:
        plan = saved_plans.make(root, Path(folder), tag=given("TAG"))
        changes = plan_changes.changes(plan.shown, tag=given("TAG"))
        new, compared = reviews.unreviewed(given("COMMIT"), root.environment, changes) if given("COMMIT") else ([], "")
        tell(page(root, changes, f"SHA-256 of the saved plan: `{plan.digest}`", f"{compared}{noted(new)}"))
        if new and given("ACCEPT") != "true":
            names = f"{new[0].action} {new[0].address}" + (f" and {len(new) - 1} more" if new[1:] else "")
            hint = "look at them, then start the workflow by hand and accept them"
            raise TaskError(
                f"makes changes that were not {compared}: {names}", where=f"plan of {root.environment}", hint=hint
            )
        saved_plans.save(root, plan)
    write("GITHUB_OUTPUT", f"digest={plan.digest}")
    print(f"saved: make plan-apply ENV={root.environment} DIGEST={plan.digest}")  # noqa: T201
    return 0


def apply(root: Root) -> int:
    """Apply a saved plan."""
    return saved_plans.apply(root, given("DIGEST"))


def page(root: Root, changes: list[Change], *notes: str) -> str:
    """Return the plan's page in Markdown: no value is on it, because more people can read it than the state."""
    lines = [f"### Plan of {root.environment}: {plan_changes.headline(changes)}", *(note for note in notes if note)]
    return "\n\n".join([*lines, f"```\n{plan_changes.listing(changes)}\n```\n"])


def noted(new: list[Change]) -> str:
    """Return which changes were not reviewed, to stand behind what they were compared with."""
    return f", except:\n\n```\n{plan_changes.listing(new)}\n```" if new else ""


def tell(text: str) -> None:
    """Print a page and add it to the job's summary, which an approver sees."""
    print(text)  # noqa: T201
    write("GITHUB_STEP_SUMMARY", text)


def write(variable: str, text: str) -> None:
    """Append to the file that a variable of GitHub's names, if any."""
    if name := given(variable):
        with Path(name).open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")


def given(name: str) -> str:
    """Return an environment variable, empty if it is not set."""
    return os.environ.get(name, "")


def main(words: list[str]) -> int:
    """Run one step and return the exit code; an error is one line."""
    steps = {"review": review, "save": save, "apply": apply}
    if len(words) != 2 or words[0] not in steps or not (INFRA / f"environments/{words[1]}.tfvars").is_file():
        print(__doc__, file=sys.stderr)  # noqa: T201
        return 2
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")  # for the states; the provider uses the variable `region`
    try:
        return steps[words[0]](Root(INFRA, words[1]))
    except CabstandError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
