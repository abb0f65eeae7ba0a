# A collector beside each task, if there is an image for it: it takes the task's spans (OTLP) to X-Ray, with the task's own role. It
# shares the task's memory and processor, so that it costs nothing but the traces.
locals {
  collector_mib         = var.collector_image == null ? 0 : 256
  collector_environment = var.collector_image == null ? {} : { OTEL_EXPORTER_OTLP_ENDPOINT = "http://127.0.0.1:4318" }

  collector_config = {
    receivers  = { otlp = { protocols = { http = { endpoint = "127.0.0.1:4318" } } } }
    processors = { batch = { timeout = "1s" } }
    exporters  = { awsxray = { region = local.region } }
    service    = { pipelines = { traces = { receivers = ["otlp"], processors = ["batch"], exporters = ["awsxray"] } } }
  }

  collectors = var.collector_image == null ? [] : [{
    name                   = "collector"
    image                  = var.collector_image
    essential              = false
    memory                 = local.collector_mib
    readonlyRootFilesystem = true
    stopTimeout            = 30
    environment            = [{ name = "AOT_CONFIG_CONTENT", value = yamlencode(local.collector_config) }]
  }]
}

resource "aws_iam_role_policy" "send_traces" {
  for_each = { for role, access in local.task_roles : role => access if var.collector_image != null }

  name   = "send-traces"
  role   = aws_iam_role.task[each.key].id
  policy = data.aws_iam_policy_document.send_traces.json
}

data "aws_iam_policy_document" "send_traces" {
  # checkov:skip=CKV_AWS_356: X-Ray's two actions have no resources, and are granted only where there is a collector.
  # checkov:skip=CKV_AWS_111: the same.
  statement {
    sid       = "SendTraces"
    actions   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
    resources = ["*"]
  }
}
