"""Write docs/settings.md from the fields of Settings."""

from pathlib import Path

from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from cabstand.settings import Settings, environment_names

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
    rows = []
    for name, field in Settings.model_fields.items():
        default = field.default
        if isinstance(default, SecretStr):
            default = default.get_secret_value()
        shown = "" if default in (None, "", PydanticUndefined) else f"`{default}`"
        rows.append(f"| `{environment_names(name)[0]}` | {shown} | {field.description} |\n")
    Path("docs/settings.md").write_text(HEAD + "".join(rows))


if __name__ == "__main__":
    main()
