variable "name" {
  description = "Prefix of every name, for example cabstand-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name))
    error_message = "name must be 3 to 31 lower-case letters, digits and hyphens, starting with a letter."
  }
}

variable "package_path" {
  description = "Local zip of the function, from `make lambda`."
  type        = string

  validation {
    condition     = endswith(var.package_path, ".zip") && fileexists(var.package_path)
    error_message = "package_path must name a zip that exists; `make lambda` builds it."
  }
}

variable "package_bucket" {
  description = "Versioned bucket that the zip is uploaded to."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{2,62}$", var.package_bucket))
    error_message = "package_bucket must be the name of an S3 bucket."
  }
}

variable "handler" {
  description = "Entry point in the zip."
  type        = string
  default     = "handler.handler"

  validation {
    condition     = can(regex("^[A-Za-z0-9_.]+\\.[A-Za-z0-9_]+$", var.handler))
    error_message = "handler must be module.function."
  }
}

variable "runtime" {
  description = "Lambda's Python; SnapStart needs 3.12 or newer."
  type        = string
  default     = "python3.13"

  validation {
    condition     = contains(["python3.12", "python3.13", "python3.14"], var.runtime)
    error_message = "runtime must be python3.12, python3.13 or python3.14."
  }
}

variable "architecture" {
  description = "Processor that the zip is built for: arm64 or x86_64."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be arm64 or x86_64."
  }
}

variable "memory_mib" {
  description = "Memory of the function in MiB; its share of a processor grows with it."
  type        = number
  default     = 1024

  validation {
    condition     = var.memory_mib >= 256 && var.memory_mib <= 10240
    error_message = "memory_mib must be between 256 and 10240."
  }
}

variable "timeout_seconds" {
  description = "Longest time of one request in seconds."
  type        = number
  default     = 10

  validation {
    condition     = var.timeout_seconds >= 1 && var.timeout_seconds <= 29
    error_message = "timeout_seconds must be between 1 and 29, as API Gateway waits no longer."
  }
}

variable "reserved_concurrency" {
  description = "Most requests at once, a cap on the bill; -1 for no cap of its own."
  type        = number
  default     = 20

  validation {
    condition     = var.reserved_concurrency == -1 || var.reserved_concurrency >= 1
    error_message = "reserved_concurrency must be at least 1, or -1 for none."
  }
}

variable "live_version" {
  description = "Version that the alias `live` points to; null for the one just published."
  type        = string
  default     = null

  validation {
    condition     = var.live_version == null || can(regex("^[0-9]+$", var.live_version))
    error_message = "live_version must be a number, or null."
  }
}

variable "throttle_requests_per_second" {
  description = "Steady rate above which API Gateway answers 429."
  type        = number
  default     = 50

  validation {
    condition     = var.throttle_requests_per_second >= 1 && var.throttle_requests_per_second <= 10000
    error_message = "throttle_requests_per_second must be between 1 and 10000."
  }
}

variable "throttle_burst_requests" {
  description = "Requests at once above which API Gateway answers 429."
  type        = number
  default     = 100

  validation {
    condition     = var.throttle_burst_requests >= 1 && var.throttle_burst_requests <= 5000
    error_message = "throttle_burst_requests must be between 1 and 5000."
  }
}

variable "domain_name" {
  description = "Host name of the service; null for the one that AWS gives."
  type        = string
  default     = null

  validation {
    condition     = var.domain_name == null || can(regex("^([a-z0-9-]+\\.)+[a-z]{2,}$", var.domain_name))
    error_message = "domain_name must be a host name such as api.example.org, or null."
  }
}

variable "certificate_arn" {
  description = "ACM certificate of domain_name; needed with it."
  type        = string
  default     = null

  validation {
    condition     = (var.certificate_arn == null) == (var.domain_name == null) && (var.certificate_arn == null || can(regex("^arn:aws[a-z-]*:acm:", var.certificate_arn)))
    error_message = "certificate_arn must be the ARN of an ACM certificate, given together with domain_name."
  }
}

variable "jwt_issuer" {
  description = "Issuer of the tokens that callers must bring besides their key; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.jwt_issuer == null || can(regex("^https://", var.jwt_issuer))
    error_message = "jwt_issuer must be an https address, or null."
  }
}

variable "jwt_audiences" {
  description = "Audiences that such a token may be for."
  type        = list(string)
  default     = []

  validation {
    condition     = (length(var.jwt_audiences) > 0) == (var.jwt_issuer != null)
    error_message = "jwt_audiences must be given together with jwt_issuer."
  }
}

variable "environment" {
  description = "Environment of the function; names are those of cabstand's settings."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.environment) : can(regex("^[A-Z][A-Z0-9_]*$", name))])
    error_message = "environment names must be upper-case letters, digits and underscores."
  }
}

variable "artifacts_uri" {
  description = "Serving bundles and pointers, s3://bucket/prefix."
  type        = string

  validation {
    condition     = can(regex("^s3://[a-z0-9.-]+/.+$", var.artifacts_uri))
    error_message = "artifacts_uri must be s3://bucket/prefix."
  }
}

variable "lake_bucket_arn" {
  description = "Bucket that the prediction log is delivered to."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:s3:::", var.lake_bucket_arn))
    error_message = "lake_bucket_arn must be the ARN of a bucket."
  }
}

variable "policy_arns" {
  description = "Access policies by name: read-bundles for the function, log-predictions for the delivery of its log."
  type        = map(string)

  validation {
    condition     = alltrue([for name in ["read-bundles", "log-predictions"] : contains(keys(var.policy_arns), name)])
    error_message = "policy_arns must hold read-bundles and log-predictions."
  }
}

variable "secret_recovery_days" {
  description = "Days that a deleted secret can be brought back; 0 deletes at once."
  type        = number
  default     = 7

  validation {
    condition     = var.secret_recovery_days == 0 || (var.secret_recovery_days >= 7 && var.secret_recovery_days <= 30)
    error_message = "secret_recovery_days must be 0, or between 7 and 30."
  }
}

variable "enable_tracing" {
  description = "Whether requests are traced with X-Ray."
  type        = bool
  default     = false
}

variable "log_retention_days" {
  description = "Days that logs of the function and of its requests are kept."
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
