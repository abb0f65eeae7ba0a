"""`python -m cabstand`."""

from cabstand.cli import main

main()
