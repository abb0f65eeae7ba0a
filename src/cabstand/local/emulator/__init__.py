"""AWS's control plane on this machine: moto's server, patched so that the real Terraform can be applied to it.

`python -m cabstand.local.emulator` runs it. moto records tasks, functions and schedules but does not run them.
`enforcement` judges each call by its caller's role: the key `emulator` may do everything; a role's temporary
credentials, which any caller with that key gets from `sts.assume_role`, may do what the role's policies allow.
"""
