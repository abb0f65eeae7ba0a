"""Workflows: jobs as steps of one declarative file, with retries, time-outs and an audit trail."""
