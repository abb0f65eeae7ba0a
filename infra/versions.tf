terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }

  # The rest of it is in environments/<name>.s3.tfbackend; the bucket is given at init, as it holds the account number.
  backend "s3" {}
}
