"""Retraining that the monitor asks for."""

OUTCOME = "retraining"  # the name under which the ledger has what came of a request
