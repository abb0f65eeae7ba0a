"""A check of infra/ that reads the Terraform code alone: who may do what, and where secrets go."""
