"""The AWS account on this machine."""
