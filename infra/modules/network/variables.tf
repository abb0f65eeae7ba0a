variable "name" {
  description = "Prefix of every name, for example cabstand-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name))
    error_message = "name must be 3 to 31 lower-case letters, digits and hyphens, starting with a letter."
  }
}

variable "cidr_block" {
  description = "Private IPv4 range of the VPC, /16 to /22."
  type        = string
  default     = "10.40.0.0/16"

  validation {
    condition     = can(cidrhost(var.cidr_block, 0)) && try(tonumber(split("/", var.cidr_block)[1]), 0) >= 16 && try(tonumber(split("/", var.cidr_block)[1]), 99) <= 22
    error_message = "cidr_block must be an IPv4 range between /16 and /22, for example 10.40.0.0/16."
  }
}

variable "egress" {
  description = "How tasks reach AWS and the internet: internet_gateway (public address, free), nat_gateway (private subnets, about 33 USD a month and more per GB), interface_endpoints (private subnets, AWS services only, about 7 USD a month an endpoint and zone)."
  type        = string
  default     = "internet_gateway"

  validation {
    condition     = contains(["internet_gateway", "nat_gateway", "interface_endpoints"], var.egress)
    error_message = "egress must be internet_gateway, nat_gateway or interface_endpoints."
  }
}

variable "enable_flow_logs" {
  description = "Whether rejected and accepted flows are logged to CloudWatch (billed per GB)."
  type        = bool
  default     = false
}

variable "log_retention_days" {
  description = "Days that flow logs are kept."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400], var.log_retention_days)
    error_message = "log_retention_days must be a period that CloudWatch Logs offers: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365 or 400."
  }
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of every role made here; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:policy/", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn must be the ARN of an IAM policy, or null."
  }
}
