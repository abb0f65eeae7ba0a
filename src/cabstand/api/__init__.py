"""The prediction service."""

import os

# Said before NumPy loads: its linear algebra would start a thread a core that nothing here uses, and a cold start pays.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
