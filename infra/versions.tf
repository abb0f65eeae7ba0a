terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }

  # Configured by environments/<name>.s3.tfbackend, and at init by the bucket, whose name contains the account number.
  backend "s3" {}
}
