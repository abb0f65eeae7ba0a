# The part of the account that LocalStack can emulate: buckets and access policies. It shares moto's gap in the network
# (descriptions of rules between groups), so the network is left to the patched emulator.
terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

variable "endpoint" {
  description = "Address of LocalStack."
  type        = string

  validation {
    condition     = can(regex("^http://127\\.0\\.0\\.1:[0-9]+$", var.endpoint))
    error_message = "endpoint must be http://127.0.0.1:<port>."
  }
}

provider "aws" {
  region                      = "us-east-1"
  access_key                  = "test"
  secret_key                  = "test" # pragma: allowlist secret
  skip_credentials_validation = true
  skip_metadata_api_check     = "true"
  skip_region_validation      = true
  s3_use_path_style           = true
  max_retries                 = 2

  endpoints {
    iam = var.endpoint
    s3  = var.endpoint
    sts = var.endpoint
  }
}

module "storage" {
  source = "../../modules/storage"

  name               = "cabstand-localstack"
  enable_access_logs = false
  retention_days     = { quarantine = 90, predictions = 400, old_versions = 30 }
  force_destroy      = true
}
