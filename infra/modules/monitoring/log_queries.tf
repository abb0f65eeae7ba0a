locals {
  task_groups = [for task in sort(keys(var.batch.task_log_groups)) : var.batch.task_log_groups[task]]

  # Saved queries, listed in CloudWatch under Logs Insights.
  log_queries = {
    jobs-finished   = { groups = local.task_groups, query = "filter event = 'job_finished' | fields @timestamp, job, status, wall_s, peak_rss_mb | sort @timestamp desc | limit 50" }
    jobs-failed     = { groups = local.task_groups, query = "filter event = 'job_finished' and status = 'failed' or level = 'error' | fields @timestamp, @log, message | sort @timestamp desc | limit 50" }
    predictions     = { groups = [var.api.function_log_group], query = "filter event = 'prediction' | stats count() as n by problem, version, bin(1h)" }
    slow-requests   = { groups = [var.api.function_log_group], query = "filter @type = 'REPORT' | stats max(@duration) as max_ms, pct(@duration, 99) as p99_ms, max(@maxMemoryUsed) / 1048576 as max_mib by bin(1h)" }
    cold-starts     = { groups = [var.api.function_log_group], query = "filter ispresent(@initDuration) or @message like /Restore Duration/ | stats count() as n by bin(1h)" }
    function-errors = { groups = [var.api.function_log_group], query = "filter level = 'error' | fields @timestamp, request_id, message | sort @timestamp desc | limit 50" }
  }
}

resource "aws_cloudwatch_query_definition" "main" {
  for_each = local.log_queries

  name            = "${var.name}/${each.key}"
  log_group_names = each.value.groups
  query_string    = each.value.query
}
