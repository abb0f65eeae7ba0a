"""Commands about the installation: version and settings."""

from __future__ import annotations

from typing import Annotated

import typer

from cabstand import __version__, activity
from cabstand.cli.common import emit, load_settings

app = typer.Typer()
config = typer.Typer(no_args_is_help=True, help="Show the settings in force.")
app.add_typer(config, name="config")


@app.command()
def version() -> None:
    """Print the installed versions. Lists cabstand and the libraries that its results depend on."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    names = ("numpy", "numba", "scikit-learn", "pyarrow", "mlflow", "fastapi", "onnxruntime")
    found: dict[str, str | None] = {"cabstand": __version__}
    for name in names:
        try:
            found[name] = installed(name)
        except PackageNotFoundError:
            found[name] = None
    emit(found)


@config.command()
def show(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """Print all settings. Shows value, source and description; secrets are masked."""
    from cabstand.settings import explain

    rows = explain(load_settings())
    if as_json:
        emit({row.name: {"value": row.value, "source": row.source} for row in rows})
        return
    activity.stop()
    from rich.console import Console
    from rich.table import Table

    table = Table("setting", "value", "source", "description")
    for row in rows:
        table.add_row(row.name, row.value, row.source, row.description)
    Console().print(table)
