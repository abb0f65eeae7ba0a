# The scheduled jobs. An entry may replace its task's command with `command`, without the word cabstand, which is the entry point.
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

  scheduled_jobs = {
    daily-comparison = {
      description = "Sequential against multi-core on the newest month, every morning."
      task        = "compare"
      expression  = "cron(0 6 * * ? *)"
    }
    weekly-sweep = {
      description = "30 combinations of eps and min_samples on the newest month, on Sundays."
      task        = "sweep"
      expression  = "cron(0 5 ? * SUN *)"
    }
    monthly-pipeline = {
      description = "Ingest, cluster, train, gate, publish and report, on the 20th."
      task        = "pipeline"
      expression  = "cron(0 7 20 * ? *)"
    }
  }

  schedules = {
    for name, job in local.scheduled_jobs : name => merge(job, {
      expression = try(coalesce(var.schedule_overrides[name].expression), job.expression)
      timezone   = try(coalesce(var.schedule_overrides[name].timezone), var.schedule_timezone)
      enabled    = var.enable_schedules && local.has_batch_image && try(coalesce(var.schedule_overrides[name].enabled), true)
    })
  }
}
