variable "alarm_email" {
  description = "Email address that alarms are sent to; null for none. AWS asks it to confirm first."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_email == null || can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", var.alarm_email))
    error_message = "alarm_email must be an email address, or null."
  }
}

variable "alarm_webhook_url" {
  description = "HTTPS address that alarms are posted to; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_webhook_url == null || can(regex("^https://", var.alarm_webhook_url))
    error_message = "alarm_webhook_url must start with https://, or be null."
  }
}

variable "monthly_budget_usd" {
  description = "Monthly budget of the environment in US dollars; a message is sent at 80 % spent and at 100 % forecast."
  type        = number
  default     = 60

  validation {
    condition     = var.monthly_budget_usd >= 1
    error_message = "monthly_budget_usd must be at least 1."
  }
}

variable "budget_by_tag" {
  description = "Whether the budget counts this environment alone instead of the whole account. Only an activated cost allocation tag is counted, so activate `Deployment` first (infra/README.md)."
  type        = bool
  default     = false
}

variable "max_p99_latency_ms" {
  description = "Request latency (99th percentile, in milliseconds) above which the alarm goes off; null for the 1000 of docs/metrics.md."
  type        = number
  default     = null

  validation {
    condition     = var.max_p99_latency_ms == null || try(var.max_p99_latency_ms >= 10, false)
    error_message = "max_p99_latency_ms must be at least 10, or null."
  }
}
