# The scheduled jobs. An entry may replace its task's command with `command`.
locals {
  scheduled_jobs = {
    daily-comparison = {
      description = "Sequential against multi-core, every morning."
      task        = "compare"
      expression  = "cron(0 6 * * ? *)"
    }
    weekly-sweep = {
      description = "30 combinations of eps and min_samples, on Sundays."
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
      enabled    = var.enable_schedules && try(coalesce(var.schedule_overrides[name].enabled), true)
    })
  }
}
