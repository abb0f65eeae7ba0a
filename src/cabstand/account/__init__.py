"""The AWS account as its owner handles it: Terraform, what runs, what a dead run left, what is gone."""
