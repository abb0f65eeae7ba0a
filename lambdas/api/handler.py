"""The prediction function."""

import gc

# Until the handler is whole: imports leave next to no garbage, and looking for it takes a twentieth of a cold start.
gc.disable()

from cabstand.api.aws import lambda_handler  # noqa: E402

handler = lambda_handler()
