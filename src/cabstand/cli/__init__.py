"""The command line: `cabstand <job>`.

Progress and logs go to stderr; the last line on stdout is one JSON object with the result. Exit 0 done, 1 failed, 2 bad
input; an error is one line on stderr, with a traceback only under `--debug`.
"""

from __future__ import annotations

import importlib
import sys
import time
import traceback
from typing import Annotated

import typer

from cabstand.cli import ending
from cabstand.errors import CabstandError, suggest

__all__ = ["app", "main", "run", "suggest"]

# One module a group of commands; each adds its own with `register(app)`.
GROUPS = ("account", "clustering", "data", "models", "planning", "report", "service", "system", "workers")

app = typer.Typer(
    name="cabstand",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Where New York's cabs stand, and how long a ride takes.",
)


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    del debug  # read from the arguments by `main`, so that it holds for errors in parsing too


for _group in GROUPS:
    importlib.import_module(f"cabstand.cli.{_group}").register(app)


def main() -> None:
    """Run the command line and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    started = time.monotonic()
    command = typer.main.get_command(app)
    try:
        code = command.main(args=arguments, prog_name="cabstand", standalone_mode=False)
        if code == 130:  # typer takes Ctrl-C, says nothing, and returns its code
            raise KeyboardInterrupt
    except (Exception, KeyboardInterrupt) as error:  # the user gets one line; --debug gives the rest
        if "--debug" in arguments:
            traceback.print_exc()
        message, code = _explain(error)
        if message:  # a bare group has printed its help already
            # One line, whatever the library below put into it.
            print(f"error: {' '.join(message.split())}", file=sys.stderr)  # noqa: T201
    code = code if isinstance(code, int) else 0
    ending.tell(arguments, code, started)
    return code


def _explain(error: BaseException) -> tuple[str, int]:
    match error:
        case CabstandError():
            return str(error), error.exit_code
        case typer.TyperException():
            return error.format_message(), error.exit_code
        case typer.Abort() | KeyboardInterrupt():
            return "stopped by the user; nothing half-written is left", 130
        case OSError():
            place = f"{error.filename}: " if error.filename else ""
            return f"{place}{(error.strerror or str(error)).lower()}", 1
        case MemoryError():
            return "not enough memory for this input (see `cabstand plan`)", 1
        case _:
            return f"unexpected {type(error).__name__}: {error} (this is a bug; --debug tells more)", 1
