variable "project" {
  description = "Name of the project: the first part of every name, and a tag."
  type        = string
  default     = "cabstand"

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{2,15}$", var.project))
    error_message = "project must be 3 to 16 lower-case letters and digits, starting with a letter."
  }
}

variable "environment" {
  description = "Name of the environment, for example dev or prod: the second part of every name, and a tag."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,11}$", var.environment))
    error_message = "environment must be 2 to 12 lower-case letters and digits, starting with a letter."
  }
}

variable "region" {
  description = "AWS region to deploy to."
  type        = string
  default     = "us-east-1"

  validation {
    condition     = can(regex("^[a-z]{2}-[a-z]+-[0-9]$", var.region))
    error_message = "region must be a commercial AWS region such as us-east-1."
  }
}

variable "account_id" {
  description = "The only AWS account that this may be applied to; null for the account of the credentials."
  type        = string
  default     = null

  validation {
    condition     = var.account_id == null || can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be 12 digits, or null."
  }
}

variable "emulator_endpoint" {
  description = "Address of an AWS emulator; null for the real AWS."
  type        = string
  default     = null

  validation {
    condition     = var.emulator_endpoint == null || can(regex("^http://(127\\.0\\.0\\.1|localhost):[0-9]+$", var.emulator_endpoint))
    error_message = "emulator_endpoint must be http://127.0.0.1:<port>, or null."
  }
}

variable "enable_permissions_boundary" {
  description = "Whether every role carries the permissions boundary from infra/bootstrap, without which the deploy role cannot create roles."
  type        = bool
  default     = true
}

variable "log_level" {
  description = "Lowest level that tasks and the function log."
  type        = string
  default     = "INFO"

  validation {
    condition     = contains(["DEBUG", "INFO", "WARNING", "ERROR"], var.log_level)
    error_message = "log_level must be DEBUG, INFO, WARNING or ERROR."
  }
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400], var.log_retention_days)
    error_message = "log_retention_days must be a period that CloudWatch Logs offers: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365 or 400."
  }
}
