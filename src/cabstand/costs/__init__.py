"""What the AWS account costs, computed offline from a Terraform plan and a dated price table."""
