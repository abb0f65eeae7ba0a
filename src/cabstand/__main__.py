"""`cabstand` and `python -m cabstand`; the base install, which lacks the command line's libraries, gets a hint."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line, or name the extra that it needs."""
    try:
        from cabstand.cli import main as run
    except ModuleNotFoundError as error:
        install = "run `pip install '.[batch]'` in a checkout, or `pip install 'WHEEL[batch]'` with the wheel's file"
        sys.exit(f"error: the command line needs the extra `batch`: {error.name} is not installed ({install})")
    run()


if __name__ == "__main__":
    main()
