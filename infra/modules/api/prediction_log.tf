# Each prediction is one line of the function's log. A subscription sends those lines to Firehose, which writes them into the lake
# as CloudWatch sends them: gzipped JSON whose logEvents[].message are the lines. The function itself only logs.
resource "aws_cloudwatch_log_subscription_filter" "predictions" {
  name            = "predictions"
  log_group_name  = aws_cloudwatch_log_group.function.name
  filter_pattern  = "{ $.event = \"prediction\" }"
  destination_arn = aws_kinesis_firehose_delivery_stream.predictions.arn
  role_arn        = aws_iam_role.log_subscription.arn
}

resource "aws_kinesis_firehose_delivery_stream" "predictions" {
  # checkov:skip=CKV_AWS_241: encrypted with the service's own key; a customer key costs 1 USD a month.
  name        = "${local.function_name}-predictions"
  destination = "extended_s3"

  server_side_encryption {
    enabled  = true
    key_type = "AWS_OWNED_CMK"
  }

  extended_s3_configuration {
    bucket_arn          = var.storage.bucket_arns["lake"]
    role_arn            = aws_iam_role.delivery.arn
    prefix              = "predictions/date=!{timestamp:yyyy-MM-dd}/"
    error_output_prefix = "undelivered/predictions/!{firehose:error-output-type}/date=!{timestamp:yyyy-MM-dd}/"
    file_extension      = ".json.gz"
    buffering_interval  = 300
    buffering_size      = 64
    compression_format  = "UNCOMPRESSED" # CloudWatch has compressed it already
  }

  depends_on = [aws_iam_role_policy_attachment.delivery]
}
