"""Write docs/settings.md from the fields of Settings."""

from pathlib import Path

from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from cabstand.settings import Settings, environment_names

WIDEST = 40  # characters of a default in the table: a longer one leaves no room for the description
HEAD = """# Settings

A setting comes from the command line, else from its environment variable, else from `cabstand.toml` (or the file that
`CABSTAND_CONFIG` names), where its name is in lower case and has no prefix. `cabstand config show` prints the current
values and their sources. Commands warn of an unknown variable that begins with `CABSTAND_` and suggest the closest.
`make docs` generates this page.

| environment variable | default | description |
|---|---|---|
"""


def main() -> None:
    """Write the page."""
    rows, below = [], []
    for name, field in Settings.model_fields.items():
        default = field.default
        if isinstance(default, SecretStr):
            default = default.get_secret_value()
        variable = environment_names(name)[0]
        shown = "" if default in (None, "", PydanticUndefined) else f"`{default}`"
        if len(shown) > WIDEST:
            below.append(f"- `{variable}`: {shown}\n")
            shown = "(below)"
        rows.append(f"| `{variable}` | {shown} | {field.description} |\n")
    Path("docs/settings.md").write_text(f"{HEAD}{''.join(rows)}\nLong defaults:\n\n{''.join(below)}")


if __name__ == "__main__":
    main()
