"""The AWS account on a laptop."""
