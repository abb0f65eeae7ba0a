output "endpoint" {
  description = "Address of the service."
  value       = var.domain_name == null ? aws_apigatewayv2_api.main.api_endpoint : "https://${var.domain_name}"
}

output "domain_target" {
  description = "What the DNS record of domain_name points to; null without a domain."
  value       = var.domain_name == null ? null : aws_apigatewayv2_domain_name.main[0].domain_name_configuration[0].target_domain_name
}

output "api_id" {
  description = "HTTP API."
  value       = aws_apigatewayv2_api.main.id
}

output "function_name" {
  description = "Lambda function."
  value       = aws_lambda_function.api.function_name
}

output "function_version" {
  description = "Version of the function published last."
  value       = aws_lambda_function.api.version
}

output "alias_name" {
  description = "Alias that the gateway calls."
  value       = aws_lambda_alias.live.name
}

output "function_role_arn" {
  description = "Role of the function."
  value       = aws_iam_role.function.arn
}

output "keys_secret_arn" {
  description = "Secret with the hashes of the API keys, as CABSTAND_API_KEYS_SECRET."
  value       = aws_secretsmanager_secret.keys.arn
}

output "function_log_group" {
  description = "Log group of the function."
  value       = aws_cloudwatch_log_group.function.name
}

output "requests_log_group" {
  description = "Access log of the HTTP API."
  value       = aws_cloudwatch_log_group.requests.name
}

output "prediction_stream_name" {
  description = "Firehose stream that carries predictions to the lake."
  value       = aws_kinesis_firehose_delivery_stream.predictions.name
}
