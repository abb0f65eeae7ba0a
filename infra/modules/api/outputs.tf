output "endpoint" {
  description = "Address of the service."
  value       = var.domain == null ? aws_apigatewayv2_api.main.api_endpoint : "https://${var.domain.name}"
}

output "domain_target" {
  description = "Target of the DNS record of the domain; null without a domain."
  value       = var.domain == null ? null : aws_apigatewayv2_domain_name.main[0].domain_name_configuration[0].target_domain_name
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
  description = "Newest published version of the function."
  value       = aws_lambda_function.api.version
}

output "keys_secret_arn" {
  description = "Secret with the hashes of the API keys, for CABSTAND_API_KEYS_SECRET."
  value       = aws_secretsmanager_secret.keys.arn
}

output "function_log_group" {
  description = "Log group of the function."
  value       = aws_cloudwatch_log_group.function.name
}
