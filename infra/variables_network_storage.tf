variable "vpc_cidr_block" {
  description = "Private IPv4 range of the VPC, /16 to /22."
  type        = string
  default     = "10.40.0.0/16"

  validation {
    condition     = can(cidrhost(var.vpc_cidr_block, 0)) && try(tonumber(split("/", var.vpc_cidr_block)[1]), 0) >= 16 && try(tonumber(split("/", var.vpc_cidr_block)[1]), 99) <= 22
    error_message = "vpc_cidr_block must be an IPv4 range between /16 and /22, for example 10.40.0.0/16."
  }
}

variable "egress" {
  description = "How tasks reach AWS and the internet: internet_gateway (public address, free), nat_gateway (private subnets, from 33 USD a month plus traffic), interface_endpoints (private subnets, AWS services only, about 7 USD a month per endpoint and zone)."
  type        = string
  default     = "internet_gateway"

  validation {
    condition     = contains(["internet_gateway", "nat_gateway", "interface_endpoints"], var.egress)
    error_message = "egress must be internet_gateway, nat_gateway or interface_endpoints."
  }
}

variable "enable_flow_logs" {
  description = "Whether accepted and rejected flows are logged to CloudWatch (billed per GB)."
  type        = bool
  default     = false
}

variable "enable_access_logs" {
  description = "Whether each request to the buckets is logged to a fourth bucket."
  type        = bool
  default     = false
}

variable "quarantine_retention_days" {
  description = "Days that quarantined rows are kept."
  type        = number
  default     = 90

  validation {
    condition     = var.quarantine_retention_days >= 1 && floor(var.quarantine_retention_days) == var.quarantine_retention_days
    error_message = "quarantine_retention_days must be a whole number of at least 1."
  }
}

variable "prediction_retention_days" {
  description = "Days that logged predictions are kept."
  type        = number
  default     = 400

  validation {
    condition     = var.prediction_retention_days >= 1 && floor(var.prediction_retention_days) == var.prediction_retention_days
    error_message = "prediction_retention_days must be a whole number of at least 1."
  }
}

variable "old_version_retention_days" {
  description = "Days that an overwritten or deleted object can be restored."
  type        = number
  default     = 30

  validation {
    condition     = var.old_version_retention_days >= 1 && floor(var.old_version_retention_days) == var.old_version_retention_days
    error_message = "old_version_retention_days must be a whole number of at least 1."
  }
}

variable "force_destroy_buckets" {
  description = "Whether destroying the environment also destroys the objects in its buckets."
  type        = bool
  default     = false
}
