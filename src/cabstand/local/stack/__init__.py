"""The whole account on this machine: starts its parts in order, watches them, and ends them without a trace."""
