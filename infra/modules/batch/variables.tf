variable "name" {
  description = "Prefix of every name, for example cabstand-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name))
    error_message = "name must be 3 to 31 lower-case letters, digits and hyphens, starting with a letter."
  }
}

variable "image_uri" {
  description = "Image of every task, with a tag or a digest."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}\\.dkr\\.ecr\\.[a-z0-9-]+\\.amazonaws\\.com(\\.cn)?/[a-z0-9/_-]+(:[A-Za-z0-9._-]+|@sha256:[0-9a-f]{64})$", var.image_uri))
    error_message = "image_uri must be an image in ECR with a tag or a digest, for example 123456789012.dkr.ecr.us-east-1.amazonaws.com/cabstand/batch:v1."
  }
}

variable "repository_arn" {
  description = "ECR repository of that image."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:ecr:", var.repository_arn))
    error_message = "repository_arn must be the ARN of an ECR repository."
  }
}

variable "architecture" {
  description = "Processor that the image is built for: X86_64, or ARM64 (a fifth cheaper)."
  type        = string
  default     = "X86_64"

  validation {
    condition     = contains(["X86_64", "ARM64"], var.architecture)
    error_message = "architecture must be X86_64 or ARM64."
  }
}

variable "multicore_vcpu" {
  description = "vCPUs of cluster-multicore; its memory follows, 2 GiB each."
  type        = number
  default     = 8

  validation {
    condition     = contains([2, 4, 8, 16], var.multicore_vcpu)
    error_message = "multicore_vcpu must be 2, 4, 8 or 16, as Fargate offers."
  }
}

variable "capacity_provider" {
  description = "What tasks run on: FARGATE_SPOT (about 70 % cheaper, may be interrupted; every job can be run again) or FARGATE."
  type        = string
  default     = "FARGATE_SPOT"

  validation {
    condition     = contains(["FARGATE", "FARGATE_SPOT"], var.capacity_provider)
    error_message = "capacity_provider must be FARGATE or FARGATE_SPOT."
  }
}

variable "subnet_ids" {
  description = "Subnets that tasks run in."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) > 0
    error_message = "subnet_ids needs at least one subnet."
  }
}

variable "security_group_id" {
  description = "Security group of the tasks."
  type        = string

  validation {
    condition     = startswith(var.security_group_id, "sg-")
    error_message = "security_group_id must look like sg-0123456789abcdef0."
  }
}

variable "assign_public_ip" {
  description = "Whether tasks get a public address, their way out where there is no NAT gateway."
  type        = bool
  default     = true
}

variable "environment" {
  description = "Environment of every task; names are those of cabstand's settings."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.environment) : can(regex("^[A-Z][A-Z0-9_]*$", name))])
    error_message = "environment names must be upper-case letters, digits and underscores."
  }
}

variable "lake_uri" {
  description = "The lake, s3://bucket; jobs take their input below it."
  type        = string

  validation {
    condition     = can(regex("^s3://[^/]+$", var.lake_uri))
    error_message = "lake_uri must be s3://bucket."
  }
}

variable "clustering_input" {
  description = "What clustering tasks read by default, below the lake."
  type        = string
  default     = "trips/uber/2014-04.parquet"

  validation {
    condition     = can(regex("^trips/[a-z]+/[0-9*?-]+\\.parquet$", var.clustering_input))
    error_message = "clustering_input must be trips/<dataset>/<YYYY-MM>.parquet; the month may hold * and ?."
  }
}

variable "training_input" {
  description = "What training reads by default, below the lake."
  type        = string
  default     = "trips/green/2023-*.parquet"

  validation {
    condition     = can(regex("^trips/[a-z]+/[0-9*?-]+\\.parquet$", var.training_input))
    error_message = "training_input must be trips/<dataset>/<YYYY-MM>.parquet; the month may hold * and ?."
  }
}

variable "pipeline_dataset" {
  description = "Trips that the pipeline takes: yellow or green."
  type        = string
  default     = "green"

  validation {
    condition     = contains(["yellow", "green"], var.pipeline_dataset)
    error_message = "pipeline_dataset must be yellow or green."
  }
}

variable "pipeline_months" {
  description = "Months that the pipeline learns from, YYYY-MM."
  type        = list(string)
  default     = ["2023-01", "2023-02"]

  validation {
    condition     = length(var.pipeline_months) > 0 && alltrue([for month in var.pipeline_months : can(regex("^20[0-9]{2}-(0[1-9]|1[0-2])$", month))])
    error_message = "pipeline_months must hold at least one month as YYYY-MM."
  }
}

variable "pipeline_holdout_months" {
  description = "Later months that the pipeline judges on, YYYY-MM."
  type        = list(string)
  default     = ["2023-03"]

  validation {
    condition     = alltrue([for month in var.pipeline_holdout_months : can(regex("^20[0-9]{2}-(0[1-9]|1[0-2])$", month))])
    error_message = "pipeline_holdout_months must be months as YYYY-MM."
  }
}

variable "policy_arns" {
  description = "Access policies by name, of which each task role gets those it needs: read-lake, write-lake, write-bundles, write-site."
  type        = map(string)

  validation {
    condition     = alltrue([for name in ["read-lake", "write-lake", "write-bundles", "write-site"] : contains(keys(var.policy_arns), name)])
    error_message = "policy_arns must hold read-lake, write-lake, write-bundles and write-site."
  }
}

variable "tracking_secret_arn" {
  description = "Secret with the MLflow user of the tasks, JSON with username and password."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:secretsmanager:", var.tracking_secret_arn))
    error_message = "tracking_secret_arn must be the ARN of a secret."
  }
}

variable "use_tracking_policy_arn" {
  description = "Policy that reads that secret, for the role that starts tasks."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:iam::", var.use_tracking_policy_arn))
    error_message = "use_tracking_policy_arn must be the ARN of an IAM policy."
  }
}

variable "schedules" {
  description = "Jobs that the clock starts: task definition, command (empty for the task's own), EventBridge expression, time zone, switch, window, retries."
  type = map(object({
    task              = string
    command           = optional(list(string), [])
    expression        = string
    timezone          = optional(string, "America/New_York")
    enabled           = optional(bool, true)
    window_minutes    = optional(number, 15)
    max_retries       = optional(number, 2)
    max_age_seconds   = optional(number, 21600)
    description       = optional(string, "")
    capacity_provider = optional(string)
  }))
  default = {}

  validation {
    condition     = alltrue([for job in values(var.schedules) : can(regex("^(cron|rate|at)\\(.+\\)$", job.expression))])
    error_message = "Each schedule's expression must be cron(...), rate(...) or at(...)."
  }

  validation {
    condition     = alltrue([for job in values(var.schedules) : job.max_retries >= 0 && job.max_retries <= 185 && job.max_age_seconds >= 60 && job.max_age_seconds <= 86400])
    error_message = "Each schedule's max_retries must be 0 to 185, and max_age_seconds 60 to 86400."
  }

  validation {
    condition     = alltrue([for job in values(var.schedules) : can(regex("^([A-Z][A-Za-z_]+/[A-Za-z_/+-]+|UTC)$", job.timezone))])
    error_message = "Each schedule's timezone must be a name such as America/New_York, or UTC."
  }
}

variable "event_jobs" {
  description = "Jobs that an event starts: task definition, command (empty for the task's own), the event's source, kind (detail-type) and detail to match."
  type = map(object({
    task        = string
    command     = optional(list(string), [])
    source      = string
    detail_type = string
    detail      = optional(map(list(string)), {})
    enabled     = optional(bool, true)
    description = optional(string, "")
  }))
  default = {}

  validation {
    condition     = alltrue([for job in values(var.event_jobs) : !startswith(job.source, "aws.")])
    error_message = "event_jobs listen to the project's own events; a source must not start with aws."
  }
}

variable "worker_lifetime_minutes" {
  description = "Longest life of a Dask worker, whatever became of the run that started it."
  type        = number
  default     = 120

  validation {
    condition     = var.worker_lifetime_minutes >= 5 && var.worker_lifetime_minutes <= 1440
    error_message = "worker_lifetime_minutes must be between 5 and 1440."
  }
}

variable "enable_container_insights" {
  description = "Whether ECS publishes memory and CPU of each task as metrics (billed a metric)."
  type        = bool
  default     = false
}

variable "log_retention_days" {
  description = "Days that task logs are kept."
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
