"""AWS's control plane on this machine: moto's server with a few small patches, enough to apply the real Terraform to.

`Emulator` serves it from a thread of this process; `python -m cabstand.local.emulator` from a process of its own.
What moto does not run (tasks, functions, schedules) it only records.
"""

from cabstand.local.emulator.server import ACCOUNT_ID, Emulator

__all__ = ["ACCOUNT_ID", "Emulator"]
