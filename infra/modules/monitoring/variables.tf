variable "name" {
  description = "Prefix of every name, for example cabstand-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name))
    error_message = "name must be 3 to 31 lower-case letters, digits and hyphens, starting with a letter."
  }
}

variable "metrics_namespace" {
  description = "CloudWatch namespace of the project's own metrics."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9/_-]{1,255}$", var.metrics_namespace)) && !startswith(var.metrics_namespace, "AWS/")
    error_message = "metrics_namespace must be letters, digits, slashes, underscores and hyphens, and not start with AWS/."
  }
}

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

variable "task_log_groups" {
  description = "Log group by task, as the batch module gives them."
  type        = map(string)

  validation {
    condition     = alltrue([for task in ["cluster-sequential", "cluster-multicore", "compare", "sweep", "train", "pipeline"] : contains(keys(var.task_log_groups), task)])
    error_message = "task_log_groups must hold cluster-sequential, cluster-multicore, compare, sweep, train and pipeline."
  }
}

variable "function_name" {
  description = "Lambda function of the service."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,64}$", var.function_name))
    error_message = "function_name must be 1 to 64 letters, digits, hyphens and underscores."
  }
}

variable "function_log_group" {
  description = "Log group of the function."
  type        = string

  validation {
    condition     = startswith(var.function_log_group, "/")
    error_message = "function_log_group must start with a slash."
  }
}

variable "api_id" {
  description = "HTTP API of the service."
  type        = string

  validation {
    condition     = length(var.api_id) > 0
    error_message = "api_id must not be empty."
  }
}

variable "dead_letter_queue_name" {
  description = "Queue of the jobs that could not be started."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,80}$", var.dead_letter_queue_name))
    error_message = "dead_letter_queue_name must be 1 to 80 letters, digits, hyphens and underscores."
  }
}

variable "server_id" {
  description = "EC2 instance of the tracking server."
  type        = string

  validation {
    condition     = startswith(var.server_id, "i-")
    error_message = "server_id must look like i-0123456789abcdef0."
  }
}

variable "database_id" {
  description = "RDS identifier of the tracking database."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,62}$", var.database_id))
    error_message = "database_id must be lower-case letters, digits and hyphens."
  }
}
