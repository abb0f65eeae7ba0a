"""Write docs/settings.md from the settings themselves."""

from pathlib import Path

from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from cabstand.settings import Settings, environment_names

HEAD = """# Settings

Each is given on the command line, else by its environment name, else in `cabstand.toml` (or the file that
`CABSTAND_CONFIG` names) under its name in small letters without the prefix. `cabstand config show` prints the values
in force and their sources. Made by `make docs`.

| environment name | default | what it is for |
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
