"""The AWS account: running Terraform, sleep and wake, recovering from a killed run, and removing everything."""
