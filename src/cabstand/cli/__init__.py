"""The command line: `cabstand <job>`.

Progress and logs go to stderr; the last line on stdout is one JSON object with the result. The exit code is 0 for
success, 1 for failure and 2 for bad input. An error is one line on stderr; `--debug` adds the traceback.
"""

from __future__ import annotations

import logging
import signal
import sys
import time
import traceback
from typing import Annotated

import typer

from cabstand import __version__, activity, trace
from cabstand.cli import (
    account,
    clustering,
    comparing,
    data,
    job_log,
    local,
    models,
    monitoring,
    replaying,
    report,
    retraining,
    service,
    system,
    tasks,
    workflows,
)
from cabstand.cli.common import emit
from cabstand.errors import CabstandError, NothingToDo
from cabstand.io import tracing
from cabstand.io.signals import exit_on_termination

LOGGER = logging.getLogger(__name__)

# The panels of `cabstand --help`, in this order.
PANELS = {
    "Demo and report": [report],
    "Trips": [data],
    "Hotspots": [clustering, comparing],
    "Models": [models],
    "Predictions": [service],
    "Monitoring": [monitoring, replaying, retraining],
    "Workflows": [workflows],
    "This installation": [system],
    "The AWS account": [account, tasks, local],
}

app = typer.Typer(
    name="cabstand",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Taxi hotspots and ride durations for New York, from raw trips to a prediction service.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cabstand {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    del debug  # `run` looks for it in the arguments, so that it also covers errors in parsing them
    del version  # its callback has already handled it


for _panel, _groups in PANELS.items():
    for _group in _groups:
        for _command in (*_group.app.registered_commands, *_group.app.registered_groups):
            _command.rich_help_panel = _panel
        app.add_typer(_group.app)


def main() -> None:
    """Run the command line and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command, send its traces and return its exit code."""
    started = time.monotonic()
    label = " ".join(["cabstand", *arguments[:1]])
    with trace.span(label) as root:
        code, root.error = _run(arguments, label)
        job_log.log_finish(arguments, code, started, root.error)
    tracing.stop()
    return code


def _run(arguments: list[str], label: str) -> tuple[int, str]:
    """Run one command and return its exit code, and the reason if it failed."""
    command = typer.main.get_command(app)
    reason = ""
    try:
        with exit_on_termination(), activity.command(label):
            code = command.main(args=arguments, prog_name="cabstand", standalone_mode=False)
        if code == 130:  # typer catches Ctrl-C silently and returns this code
            raise KeyboardInterrupt
    except NothingToDo as why:
        LOGGER.info("nothing to do yet: %s", why)
        emit({"nothing_to_do": str(why)})
        code = why.exit_code
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        if "--debug" in arguments:
            traceback.print_exc()
        message, code = _explain(error)
        reason = " ".join(message.split())
        if reason:  # empty where typer has already printed a group's help
            print(f"error: {reason}", file=sys.stderr)  # noqa: T201
    return code if isinstance(code, int) else 0, reason


def _explain(error: BaseException) -> tuple[str, int]:
    """Return the message and exit code for an error."""
    match error:
        case CabstandError():
            return str(error), error.exit_code
        case typer.TyperException():
            return error.format_message(), error.exit_code
        case typer.Abort() | KeyboardInterrupt() | SystemExit():
            return _explain_end(error)
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            return f"{where}{(error.strerror or str(error)).lower()}", 1
        case MemoryError():
            return "not enough memory for this input (see `cabstand plan`)", 1
        case _:
            return f"unexpected {type(error).__name__}: {error} (this is a bug; --debug shows the traceback)", 1


def _explain_end(error: BaseException) -> tuple[str, int]:
    """Return the message and exit code for a command that was stopped from outside."""
    code = error.code if isinstance(error, SystemExit) else 130
    if not isinstance(code, int) or code <= 128:
        return "", code if isinstance(code, int) else 1
    what = "interrupted" if code == 130 else f"stopped by {signal.Signals(code - 128).name}"
    return f"{what}; no partial results were left behind", code
