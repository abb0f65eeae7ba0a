locals {
  task_groups = [for task in sort(keys(var.batch.task_log_groups)) : var.batch.task_log_groups[task]]
  all_groups  = concat(local.task_groups, [var.api.function_log_group])

  # Saved queries, listed in CloudWatch under Logs Insights. The fields are those of docs/schemas/log-v1.json, of a predicted row, or
  # AWS's own. Replace ID with the id of a trace (of MLflow's tag trace_id, a pointer's write_id, a prediction) or of an MLflow run.
  log_queries = {
    one-trace       = { groups = local.all_groups, query = "filter trace_id = 'ID' | fields @timestamp, @log, level, event, coalesce(message, route) as what, span_id, run_id | sort @timestamp asc | limit 1000" }
    one-mlflow-run  = { groups = local.task_groups, query = "filter run_id = 'ID' | fields @timestamp, @log, level, message, trace_id, span_id | sort @timestamp asc | limit 1000" }
    jobs-finished   = { groups = local.task_groups, query = "filter event = 'job_finished' | fields @timestamp, job, status, wall_s, peak_rss_mb, trace_id | sort @timestamp desc | limit 50" }
    jobs-failed     = { groups = local.task_groups, query = "filter event = 'job_finished' and status = 'failed' or level = 'error' | fields @timestamp, @log, message, reason, trace_id, run_id | sort @timestamp desc | limit 50" }
    predictions     = { groups = [var.api.function_log_group], query = "filter event = 'prediction' | stats count() as n by problem, version, bin(1h)" }
    slow-requests   = { groups = [var.api.function_log_group], query = "filter @type = 'REPORT' | stats max(@duration) as max_ms, pct(@duration, 99) as p99_ms, max(@maxMemoryUsed) / 1048576 as max_mib by bin(1h)" }
    slowest-traces  = { groups = [var.api.function_log_group], query = "filter event = 'request' | fields @timestamp, route, status, latency_ms, trace_id, gateway_request_id | sort latency_ms desc | limit 50" }
    cold-starts     = { groups = [var.api.function_log_group], query = "filter ispresent(@initDuration) or @message like /Restore Duration/ | stats count() as n by bin(1h)" }
    function-errors = { groups = [var.api.function_log_group], query = "filter level = 'error' | fields @timestamp, request_id, trace_id, message | sort @timestamp desc | limit 50" }
  }
}

resource "aws_cloudwatch_query_definition" "main" {
  for_each = local.log_queries

  name            = "${var.name}/${each.key}"
  log_group_names = each.value.groups
  query_string    = each.value.query
}
