#!/usr/bin/env bash
# opentelemetry-sdk 1.45.2: force_flush and shutdown of the batch processor keep no deadline, and force_flush says True.
#
# Seen: with a collector that accepts connections and never answers, and an exporter whose timeout is 3 s,
# force_flush(timeout_millis=200) returns True after 3 s or more, and shutdown() takes as long again. No span has arrived.
#
# Why it matters: a server that flushes its spans when it gets SIGTERM ends seconds later than it promised, and believes that
# they were sent. cabstand runs shutdown in a thread of its own and waits a second for it.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --disable-pip-version-check opentelemetry-sdk==1.45.2 opentelemetry-exporter-otlp-proto-http==1.45.2

"$work/venv/bin/python" - <<'PYTHON'
import logging
import socket
import sys
import time

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

logging.disable(logging.CRITICAL)
mute = socket.create_server(("127.0.0.1", 0))
address = f"http://127.0.0.1:{mute.getsockname()[1]}/v1/traces"
provider = TracerProvider(shutdown_on_exit=False)
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=address, timeout=3)))
tracer = provider.get_tracer("finding")


def timed(work):
    """Return what the work returns and the seconds it took, with one span pending."""
    tracer.start_span("pending").end()
    started = time.monotonic()
    return work(), time.monotonic() - started


said, flush_s = timed(lambda: provider.force_flush(timeout_millis=200))
_, shutdown_s = timed(provider.shutdown)
print(f"force_flush(200 ms): {said} after {flush_s:.1f} s; shutdown: {shutdown_s:.1f} s")
sys.exit(0 if said is True and flush_s > 1 and shutdown_s > 1 else "The behaviour changed.")
PYTHON
echo "Still so: neither keeps a deadline."
