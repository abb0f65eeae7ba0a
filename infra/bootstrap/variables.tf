variable "project" {
  description = "Name of the project: the first part of every name, and a tag."
  type        = string
  default     = "cabstand"

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{2,15}$", var.project))
    error_message = "project must be 3 to 16 lower-case letters and digits, starting with a letter."
  }
}

variable "region" {
  description = "AWS region to deploy to."
  type        = string
  default     = "us-east-1"

  validation {
    condition     = can(regex("^[a-z]{2}-[a-z]+-[0-9]$", var.region))
    error_message = "region must be a commercial AWS region such as us-east-1."
  }
}

variable "emulator_endpoint" {
  description = "Address of an AWS emulator; null for the real AWS."
  type        = string
  default     = null

  validation {
    condition     = var.emulator_endpoint == null || can(regex("^http://(127\\.0\\.0\\.1|localhost):[0-9]+$", var.emulator_endpoint))
    error_message = "emulator_endpoint must be http://127.0.0.1:<port>, or null."
  }
}

variable "github_repository" {
  description = "Repository whose workflows may assume GitHub's roles, owner/name."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "github_repository must be owner/name."
  }
}

variable "github_repository_id" {
  description = "Number of that repository, which stays when it is renamed; `make bootstrap` looks it up."
  type        = string

  validation {
    condition     = can(regex("^[1-9][0-9]*$", var.github_repository_id))
    error_message = "github_repository_id must be a number."
  }
}

variable "github_owner_id" {
  description = "Number of the repository's owner; `make bootstrap` looks it up."
  type        = string

  validation {
    condition     = can(regex("^[1-9][0-9]*$", var.github_owner_id))
    error_message = "github_owner_id must be a number."
  }
}

variable "create_github_provider" {
  description = "Whether to create the account's identity provider for GitHub; false if something else created it already."
  type        = bool
  default     = true
}

variable "deploy_environments" {
  description = "Protected GitHub environments that may assume the deploy and the run role."
  type        = list(string)
  default     = ["dev", "prod"]

  validation {
    condition     = length(var.deploy_environments) > 0 && alltrue([for name in var.deploy_environments : can(regex("^[A-Za-z0-9_-]+$", name))])
    error_message = "deploy_environments must be names of letters, digits, underscores and hyphens, without a wildcard."
  }
}

variable "force_destroy_state" {
  description = "Whether destroying the bootstrap also destroys every state in its bucket."
  type        = bool
  default     = false
}

variable "images_kept" {
  description = "Number of images that each repository keeps; older ones expire. A commit has three, and signatures count, too."
  type        = number
  default     = 100

  validation {
    condition     = var.images_kept >= 2 && var.images_kept <= 1000
    error_message = "images_kept must be between 2 and 1000."
  }
}
