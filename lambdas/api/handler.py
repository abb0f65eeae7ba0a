"""The prediction function."""

from cabstand.api.aws import lambda_handler

handler = lambda_handler()
