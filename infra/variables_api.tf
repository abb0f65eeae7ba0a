variable "api_package_path" {
  description = "Local zip of the function, from `make lambda`."
  type        = string
  default     = "../dist/lambda-arm64.zip"

  validation {
    condition     = endswith(var.api_package_path, ".zip") && fileexists(var.api_package_path)
    error_message = "api_package_path must name a zip that exists; `make lambda` builds it."
  }
}

variable "api_runtime" {
  description = "Python runtime of the function; SnapStart needs 3.12 or newer."
  type        = string
  default     = "python3.13"

  validation {
    condition     = contains(["python3.12", "python3.13", "python3.14"], var.api_runtime)
    error_message = "api_runtime must be python3.12, python3.13 or python3.14."
  }
}

variable "api_architecture" {
  description = "Processor that the zip is built for: arm64 or x86_64."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.api_architecture)
    error_message = "api_architecture must be arm64 or x86_64."
  }
}

variable "api_memory_mib" {
  description = "Memory of the function in MiB; its share of a processor grows with it."
  type        = number
  default     = 1024

  validation {
    condition     = var.api_memory_mib >= 256 && var.api_memory_mib <= 10240
    error_message = "api_memory_mib must be between 256 and 10240."
  }
}

variable "api_timeout_seconds" {
  description = "Longest time of one request, in seconds."
  type        = number
  default     = 10

  validation {
    condition     = var.api_timeout_seconds >= 1 && var.api_timeout_seconds <= 29
    error_message = "api_timeout_seconds must be between 1 and 29, as API Gateway waits no longer."
  }
}

variable "api_reserved_concurrency" {
  description = "Concurrent executions reserved for the function, which limits the bill; -1 for none. A new account has a quota of 10 and may reserve none of them: AWS keeps 100 (in a new account all 10) unreserved."
  type        = number
  default     = -1

  validation {
    condition     = var.api_reserved_concurrency == -1 || var.api_reserved_concurrency >= 1
    error_message = "api_reserved_concurrency must be at least 1, or -1 for none."
  }
}

variable "api_domain_name" {
  description = "Host name of the service; null for the address that AWS assigns."
  type        = string
  default     = null

  validation {
    condition     = var.api_domain_name == null || can(regex("^([a-z0-9-]+\\.)+[a-z]{2,}$", var.api_domain_name))
    error_message = "api_domain_name must be a host name such as api.example.org, or null."
  }
}

variable "api_certificate_arn" {
  description = "ACM certificate of api_domain_name; required with it."
  type        = string
  default     = null

  validation {
    condition     = (var.api_certificate_arn == null) == (var.api_domain_name == null) && (var.api_certificate_arn == null || can(regex("^arn:aws[a-z-]*:acm:", var.api_certificate_arn)))
    error_message = "api_certificate_arn must be the ARN of an ACM certificate, given together with api_domain_name."
  }
}

variable "api_jwt_issuer" {
  description = "Issuer of the tokens that callers must send besides their key; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.api_jwt_issuer == null || can(regex("^https://", var.api_jwt_issuer))
    error_message = "api_jwt_issuer must be an https address, or null."
  }
}

variable "api_jwt_audiences" {
  description = "Audiences that those tokens may have."
  type        = list(string)
  default     = []

  validation {
    condition     = (length(var.api_jwt_audiences) > 0) == (var.api_jwt_issuer != null)
    error_message = "api_jwt_audiences must be given together with api_jwt_issuer."
  }
}

variable "api_throttle_requests_per_second" {
  description = "Steady rate above which API Gateway answers 429."
  type        = number
  default     = 50

  validation {
    condition     = var.api_throttle_requests_per_second >= 1 && var.api_throttle_requests_per_second <= 10000
    error_message = "api_throttle_requests_per_second must be between 1 and 10000."
  }
}

variable "api_throttle_burst_requests" {
  description = "Burst of requests above which API Gateway answers 429."
  type        = number
  default     = 100

  validation {
    condition     = var.api_throttle_burst_requests >= 1 && var.api_throttle_burst_requests <= 5000
    error_message = "api_throttle_burst_requests must be between 1 and 5000."
  }
}

variable "enable_tracing" {
  description = "Whether requests are traced with X-Ray, which bills each trace: the function's starts and times."
  type        = bool
  default     = false
}

variable "tracing_layer_arn" {
  description = "Layer that takes the function's own spans to X-Ray: AWS's layer for Python with OpenTelemetry and the collector, in this region and for api_architecture. Null means none."
  type        = string
  default     = null

  validation {
    condition     = var.tracing_layer_arn == null ? true : var.enable_tracing && can(regex("^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:layer:[A-Za-z0-9_-]+:[0-9]+$", var.tracing_layer_arn))
    error_message = "tracing_layer_arn must be the ARN of a layer's version, and needs enable_tracing."
  }
}
