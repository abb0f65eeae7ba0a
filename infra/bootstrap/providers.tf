provider "aws" {
  region = var.region

  skip_metadata_api_check = local.on_emulator ? "true" : null
  skip_region_validation  = local.on_emulator
  s3_use_path_style       = local.on_emulator
  max_retries             = local.on_emulator ? 2 : null

  default_tags {
    tags = {
      Project     = var.project
      Environment = "bootstrap"
      Deployment  = "${var.project}-bootstrap"
      ManagedBy   = "terraform"
    }
  }

  dynamic "endpoints" {
    for_each = toset(local.on_emulator ? [var.emulator_endpoint] : [])

    content {
      ecr = endpoints.value
      iam = endpoints.value
      s3  = endpoints.value
      sts = endpoints.value
    }
  }
}

locals {
  on_emulator = var.emulator_endpoint != null
}
