variable "name" {
  description = "Prefix of every name, for example cabstand-dev."
  type        = string
  nullable    = false
}

variable "metrics_namespace" {
  description = "CloudWatch namespace of the project's own metrics."
  type        = string
  nullable    = false
}

variable "alarm_email" {
  description = "Email address that alarms are sent to; null for none."
  type        = string
}

variable "alarm_webhook_url" {
  description = "HTTPS address that alarms are posted to; null for none."
  type        = string
}

variable "monthly_budget_usd" {
  description = "Monthly budget of the environment in US dollars."
  type        = number
  nullable    = false
}

variable "budget_by_tag" {
  description = "Whether the budget counts this environment alone, by its tag, instead of the whole account."
  type        = bool
  nullable    = false
}

variable "max_p99_latency_ms" {
  description = "Request latency (99th percentile, in milliseconds) above which the alarm goes off; null for the catalogue's."
  type        = number
}

variable "api" {
  description = "Outputs of the api module: the HTTP API, its function, and the function's log group."
  type = object({
    api_id             = string
    function_name      = string
    function_log_group = string
  })
  nullable = false
}

variable "batch" {
  description = "Outputs of the batch module: log group by task, the queue of jobs that could not be started, and the bus of the monitor's events."
  type = object({
    task_log_groups        = map(string)
    dead_letter_queue_name = string
    dead_letter_queue_arn  = string
    event_bus_name         = string
  })
  nullable = false
}

variable "monitor_is_scheduled" {
  description = "Whether a schedule starts the monitor, so that its silence is a fault."
  type        = bool
  nullable    = false
}

variable "tracking" {
  description = "Outputs of the tracking module: the server's EC2 instance and the database's RDS identifier."
  type = object({
    server_id   = string
    database_id = string
  })
  nullable = false
}
