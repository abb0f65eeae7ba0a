variable "name" {
  description = "Prefix of every name, for example cabstand-dev."
  type        = string
  nullable    = false
}

variable "enable_access_logs" {
  description = "Whether each request to the buckets is logged to a fourth bucket."
  type        = bool
  nullable    = false
}

variable "retention_days" {
  description = "Days that quarantined rows, logged predictions, and overwritten or deleted objects are kept."
  type = object({
    quarantine   = number
    predictions  = number
    old_versions = number
  })
  nullable = false
}

variable "force_destroy" {
  description = "Whether destroying the buckets also destroys the objects in them."
  type        = bool
  nullable    = false
}
