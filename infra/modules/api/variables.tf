variable "name" {
  description = "Prefix of every name, for example cabstand-dev."
  type        = string
  nullable    = false
}

variable "package_path" {
  description = "Local zip of the function, from `make lambda`."
  type        = string
  nullable    = false
}

variable "function" {
  description = "Lambda runtime and processor, memory, longest time of one request, and most requests at once (-1 for no limit)."
  type = object({
    runtime              = string
    architecture         = string
    memory_mib           = number
    timeout_seconds      = number
    reserved_concurrency = number
  })
  nullable = false
}

variable "log_level" {
  description = "Lowest level that the function logs."
  type        = string
  nullable    = false
}

variable "throttle" {
  description = "Steady rate and burst above which API Gateway answers 429."
  type = object({
    requests_per_second = number
    burst_requests      = number
  })
  nullable = false
}

variable "domain" {
  description = "Host name of the service and its ACM certificate; null for the address that AWS assigns."
  type = object({
    name            = string
    certificate_arn = string
  })
}

variable "jwt" {
  description = "Issuer and audiences of the tokens that callers must send besides their key; null for none."
  type = object({
    issuer    = string
    audiences = list(string)
  })
}

variable "storage" {
  description = "Outputs of the storage module: the serving bundles, the bucket of the zip, the lake that predictions are delivered to, and the policies that give access to them."
  type = object({
    artifacts_uri = string
    bucket_names  = map(string)
    bucket_arns   = map(string)
    policy_arns   = map(string)
  })
  nullable = false
}

variable "secret_recovery_days" {
  description = "Days that a deleted secret can be restored; 0 deletes it at once."
  type        = number
  nullable    = false
}

variable "enable_tracing" {
  description = "Whether requests are traced with X-Ray."
  type        = bool
  nullable    = false
}

variable "tracing_layer_arn" {
  description = "Layer with OpenTelemetry and a collector for X-Ray; null for none."
  type        = string
}

variable "log_retention_days" {
  description = "Days that logs of the function and of its requests are kept."
  type        = number
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of every role created here; null for none."
  type        = string
}
