"""API Gateway's HTTP APIs on this machine, in front of the functions: `python -m cabstand.local.gateway`.

What a client gets where AWS answers by itself, and by which source:

- 429 over the throttle, and 404 without a route: the developer guide of API Gateway.
- 502 for a function that raises, crashes or answers too much: Lambda's developer guide, "Handling Lambda errors with an
  API Gateway API". 504 for a function's own time-out.
- 503 after the integration's time-out (https://github.com/serverless/serverless/issues/11222) and for a throttled
  function; 500 without permission to invoke it ("Troubleshooting issues with HTTP API Lambda integrations").
- 413 for a request of more than 10 MB, or more than 6 MB as an event.

A stage serves its API as it is now: deployments are not kept apart.
"""
