"""AWS's control plane on this machine: moto's server, patched so that the real Terraform can be applied to it.

`python -m cabstand.local.emulator` runs it. moto records tasks, functions and schedules but does not run them.
"""
