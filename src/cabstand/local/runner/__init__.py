"""Runs the ECS tasks that the emulator accepts, on this machine, and reports on them as ECS's agent does."""

from cabstand.local.runner.service import Options, interrupt, run

__all__ = ["Options", "interrupt", "run"]
