variable "batch_image_tag" {
  description = "Tag of the batch image in its repository, where tags are immutable. The value in a .tfvars file counts for the first apply; later ones keep the tag that runs, unless they get another (make deploy TAG=...)."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$", var.batch_image_tag)) && var.batch_image_tag != "latest"
    error_message = "batch_image_tag must be an image tag other than latest."
  }
}

variable "batch_architecture" {
  description = "Processor that the image is built for: X86_64, or ARM64 (a fifth cheaper)."
  type        = string
  default     = "X86_64"

  validation {
    condition     = contains(["X86_64", "ARM64"], var.batch_architecture)
    error_message = "batch_architecture must be X86_64 or ARM64."
  }
}

variable "multicore_vcpu" {
  description = "vCPUs of cluster-multicore, which gets 2 GiB of memory for each. A new account's quota of 6 Fargate vCPUs is enough for 4."
  type        = number
  default     = 4

  validation {
    condition     = contains([2, 4, 8, 16], var.multicore_vcpu)
    error_message = "multicore_vcpu must be 2, 4, 8 or 16, as Fargate offers."
  }
}

variable "tracing_collector_image" {
  description = "Image of the OpenTelemetry collector that takes the spans of tasks to X-Ray from beside them, such as public.ecr.aws/aws-observability/aws-otel-collector with a version. Null means none."
  type        = string
  default     = null

  validation {
    condition     = var.tracing_collector_image == null ? true : can(regex("^[a-z0-9.-]+/[a-z0-9._/-]+(:v[A-Za-z0-9_.-]+|@sha256:[0-9a-f]{64})$", var.tracing_collector_image))
    error_message = "tracing_collector_image must be an image with a version (v...) or a digest."
  }

  validation {
    condition     = var.tracing_collector_image == null || var.egress != "interface_endpoints"
    error_message = "tracing_collector_image needs a way to the internet, which the egress interface_endpoints is not."
  }
}

variable "capacity_provider" {
  description = "What tasks run on: FARGATE_SPOT (about 70 % cheaper, may be interrupted; every job can be rerun) or FARGATE."
  type        = string
  default     = "FARGATE_SPOT"

  validation {
    condition     = contains(["FARGATE", "FARGATE_SPOT"], var.capacity_provider)
    error_message = "capacity_provider must be FARGATE or FARGATE_SPOT."
  }
}

variable "clustering_input" {
  description = "What clustering tasks read by default, below the lake. Null means the newest month that the lake has of pipeline_dataset."
  type        = string
  default     = null

  validation {
    condition     = var.clustering_input == null ? true : can(regex("^trips/[a-z]+/[0-9*?-]+\\.parquet$", var.clustering_input))
    error_message = "clustering_input must be trips/<dataset>/<YYYY-MM>.parquet, where the month may hold * and ?, or null."
  }
}

variable "training_input" {
  description = "What training reads by default, below the lake. Null means all months that the lake has of pipeline_dataset."
  type        = string
  default     = null

  validation {
    condition     = var.training_input == null ? true : can(regex("^trips/[a-z]+/[0-9*?-]+\\.parquet$", var.training_input))
    error_message = "training_input must be trips/<dataset>/<YYYY-MM>.parquet, where the month may hold * and ?, or null."
  }
}

variable "pipeline_dataset" {
  description = "Trips that the pipeline reads: yellow or green."
  type        = string
  default     = "green"

  validation {
    condition     = contains(["yellow", "green"], var.pipeline_dataset)
    error_message = "pipeline_dataset must be yellow or green."
  }
}

variable "pipeline_newest_months" {
  description = "How many of the newest complete months the pipeline reads; it trains on all but the last one, which it evaluates on. It ignores this if pipeline_months names months."
  type        = number
  default     = 3

  validation {
    condition     = var.pipeline_newest_months >= 2 && var.pipeline_newest_months <= 36 && floor(var.pipeline_newest_months) == var.pipeline_newest_months
    error_message = "pipeline_newest_months must be a whole number from 2 to 36."
  }
}

variable "pipeline_months" {
  description = "Months that the pipeline trains on, YYYY-MM. Null means the newest ones, so that each scheduled run does new work."
  type        = list(string)
  default     = null

  validation {
    condition     = var.pipeline_months == null ? true : length(var.pipeline_months) > 0 && alltrue([for month in var.pipeline_months : can(regex("^20[0-9]{2}-(0[1-9]|1[0-2])$", month))])
    error_message = "pipeline_months must hold at least one month as YYYY-MM, or be null."
  }
}

variable "pipeline_holdout_months" {
  description = "Later months that the pipeline evaluates on, YYYY-MM; only together with pipeline_months."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for month in var.pipeline_holdout_months : can(regex("^20[0-9]{2}-(0[1-9]|1[0-2])$", month))])
    error_message = "pipeline_holdout_months must be months as YYYY-MM."
  }
}

variable "worker_lifetime_minutes" {
  description = "Longest life of a Dask worker, whatever happens to the run that started it."
  type        = number
  default     = 120

  validation {
    condition     = var.worker_lifetime_minutes >= 5 && var.worker_lifetime_minutes <= 1440
    error_message = "worker_lifetime_minutes must be between 5 and 1440."
  }
}

variable "enable_container_insights" {
  description = "Whether ECS publishes the memory and CPU of each task as metrics (billed per metric)."
  type        = bool
  default     = false
}

variable "enable_schedules" {
  description = "Whether the workflows start on their schedules, once a batch image has been pushed."
  type        = bool
  default     = true
}

variable "schedule_timezone" {
  description = "Time zone of the schedules."
  type        = string
  default     = "America/New_York"

  validation {
    condition     = contains(local.time_zones, var.schedule_timezone)
    error_message = "schedule_timezone must be a name in time_zones.txt, such as America/New_York or UTC."
  }
}

variable "schedule_overrides" {
  description = "Changes to the schedules of the workflows, by name: expression, timezone, enabled."
  type = map(object({
    expression = optional(string)
    timezone   = optional(string)
    enabled    = optional(bool)
  }))
  default = {}

  validation {
    condition     = length(setsubtract(keys(var.schedule_overrides), keys(local.workflows))) == 0
    error_message = "schedule_overrides names a workflow that is not in workflows.yaml."
  }

  validation {
    condition     = alltrue([for job in values(var.schedule_overrides) : job.expression == null || can(regex(local.schedule_pattern, job.expression))])
    error_message = "Each expression of schedule_overrides must be as EventBridge Scheduler wants it: cron(minute hour day month weekday year) with ? for day or weekday, rate(5 minutes), or at(2026-12-31T23:59:00)."
  }

  validation {
    condition     = alltrue([for job in values(var.schedule_overrides) : job.timezone == null ? true : contains(local.time_zones, job.timezone)])
    error_message = "Each timezone of schedule_overrides must be a name in time_zones.txt, such as America/New_York or UTC."
  }
}

variable "task_settings" {
  description = "Further settings of all tasks (docs/settings.md), by the names of their environment variables, such as CABSTAND_MONITOR_BIAS; no secrets. What Terraform sets itself wins."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.task_settings) : can(regex("^CABSTAND_[A-Z0-9_]+$", name))])
    error_message = "task_settings takes names that begin with CABSTAND_, such as CABSTAND_MONITOR_BIAS."
  }
}
