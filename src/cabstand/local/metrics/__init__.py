"""CloudWatch's metrics on this machine: where they come from, and what is computed from them. All of it is pure."""
