variable "alarm_email" {
  description = "Mail address that alarms go to; null for none. AWS sends it a confirmation first."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_email == null || can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", var.alarm_email))
    error_message = "alarm_email must be a mail address, or null."
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
  description = "What the set-up may cost a month; a message comes at 80 % spent and at 100 % forecast."
  type        = number
  default     = 60

  validation {
    condition     = var.monthly_budget_usd >= 1
    error_message = "monthly_budget_usd must be at least 1."
  }
}

variable "max_p99_latency_ms" {
  description = "Slowest hundredth of requests, in milliseconds, above which the alarm rings."
  type        = number
  default     = 1000

  validation {
    condition     = var.max_p99_latency_ms >= 10
    error_message = "max_p99_latency_ms must be at least 10."
  }
}
