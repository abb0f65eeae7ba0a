variable "name" {
  description = "Prefix of every name, for example cabstand-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name))
    error_message = "name must be 3 to 31 lower-case letters, digits and hyphens, starting with a letter."
  }
}

variable "enable_access_logs" {
  description = "Whether each request to the buckets is logged to a fourth bucket."
  type        = bool
  default     = false
}

variable "quarantine_retention_days" {
  description = "Days that rows put aside at ingestion are kept."
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
  description = "Days that an overwritten or deleted object can be brought back."
  type        = number
  default     = 30

  validation {
    condition     = var.old_version_retention_days >= 1 && floor(var.old_version_retention_days) == var.old_version_retention_days
    error_message = "old_version_retention_days must be a whole number of at least 1."
  }
}

variable "force_destroy" {
  description = "Whether destroying the set-up also destroys what the buckets hold."
  type        = bool
  default     = false
}
