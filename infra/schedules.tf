# The schedules of the workflows, each of which starts its task with the command `workflow run`.
# None of them starts before the batch image has been pushed for the first time: a task without an image dies, and rings an alarm.
data "aws_ecr_repository" "batch" {
  name        = "${var.project}/batch"
  registry_id = local.account_id
}

check "batch_image" {
  assert {
    condition     = local.has_batch_image || !var.enable_schedules
    error_message = "No batch image has been pushed yet, so no schedule starts: make push-images TAG=v1, then make deploy TAG=v1."
  }
}

locals {
  has_batch_image = length(data.aws_ecr_repository.batch.most_recent_image_tags) > 0

  # `cabstand workflow run` reads the same file. A workflow whose task does not exist has no schedule.
  workflows = yamldecode(file("${path.module}/../src/cabstand/workflows/workflows.yaml")).workflows

  scheduled_jobs = {
    for name, workflow in local.workflows : name => {
      description = workflow.description
      task        = workflow.task
      expression  = workflow.schedule
      workflow    = name
    } if contains(module.batch.task_names, workflow.task)
  }

  schedules = {
    for name, job in local.scheduled_jobs : name => merge(job, {
      expression = try(coalesce(var.schedule_overrides[name].expression), job.expression)
      timezone   = try(coalesce(var.schedule_overrides[name].timezone), var.schedule_timezone)
      enabled    = var.enable_schedules && local.has_batch_image && try(coalesce(var.schedule_overrides[name].enabled), true)
    })
  }
}
