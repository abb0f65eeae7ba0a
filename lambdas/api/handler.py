"""The prediction function."""

from cabstand.api.start import lambda_handler

handler = lambda_handler()
