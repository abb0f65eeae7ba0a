variable "name" {
  description = "Prefix of every name, for example cabstand-dev."
  type        = string
  nullable    = false
}

variable "image" {
  description = "Image of every task: its URI with a tag, the ECR repository it is pulled from, and the processor it is built for (X86_64 or ARM64)."
  type = object({
    uri            = string
    repository_arn = string
    architecture   = string
  })
  nullable = false
}

variable "multicore_vcpu" {
  description = "vCPUs of cluster-multicore, which gets 2 GiB of memory for each."
  type        = number
  nullable    = false
}

variable "collector_image" {
  description = "Image of a collector beside each task that sends its spans to X-Ray; null for none."
  type        = string
}

variable "capacity_provider" {
  description = "What tasks run on: FARGATE_SPOT or FARGATE."
  type        = string
  nullable    = false
}

variable "network" {
  description = "Outputs of the network module: subnets and security group of the tasks, and whether they need a public address."
  type = object({
    task_subnet_ids        = list(string)
    task_security_group_id = string
    tasks_have_public_ip   = bool
  })
  nullable = false
}

variable "storage" {
  description = "Outputs of the storage module: the lake, the serving bundles, the results site, and the policies that give access to them."
  type = object({
    lake_uri      = string
    artifacts_uri = string
    site_uri      = string
    policy_arns   = map(string)
  })
  nullable = false
}

variable "tracking" {
  description = "Outputs of the tracking module: MLflow's address, the secret with the tasks' MLflow user, and the policy that reads it."
  type = object({
    tracking_uri            = string
    tasks_secret_arn        = string
    use_tracking_policy_arn = string
  })
  nullable = false
}

variable "log_level" {
  description = "Lowest level that tasks log."
  type        = string
  nullable    = false
}

variable "task_settings" {
  description = "Further settings of all tasks, by the names of their environment variables."
  type        = map(string)
  nullable    = false
}

variable "inputs" {
  description = "What clustering and training tasks read by default, below the lake; null in one of them means the pipeline's data set: its newest month, or all of it."
  type = object({
    clustering = string
    training   = string
  })
  nullable = false
}

variable "pipeline" {
  description = "The trips that the pipeline reads, the months it trains on and the later months it evaluates on, YYYY-MM; where no months are named, how many of the newest ones it reads, and whether it fetches published ones first."
  type = object({
    dataset        = string
    months         = list(string)
    holdout_months = list(string)
    newest_months  = number
    fetch_months   = bool
  })
  nullable = false
}

variable "schedules" {
  description = "Scheduled jobs by name: task definition, the workflow that it runs with its own options (or a command; without both, the task's own), EventBridge expression, time zone, and how a late or failed start is handled."
  type = map(object({
    task              = string
    workflow          = optional(string, "")
    command           = optional(list(string), [])
    expression        = string
    timezone          = string
    enabled           = bool
    window_minutes    = optional(number, 15)
    max_retries       = optional(number, 185) # as many as max_age_seconds allow: the quota of vCPUs may be full for hours
    max_age_seconds   = optional(number, 21600)
    description       = optional(string, "")
    capacity_provider = optional(string)
  }))
  nullable = false
}

variable "worker_lifetime_minutes" {
  description = "Longest life of a Dask worker, whatever happens to the run that started it."
  type        = number
  nullable    = false
}

variable "enable_container_insights" {
  description = "Whether ECS publishes the memory and CPU of each task as metrics."
  type        = bool
  nullable    = false
}

variable "log_retention_days" {
  description = "Days that task logs are kept."
  type        = number
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of every role created here; null for none."
  type        = string
}
