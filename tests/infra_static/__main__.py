"""Check the Terraform code without running it: `python -m infra_static infra`."""

from __future__ import annotations

import sys
from pathlib import Path

from infra_static.rules import faults

found = faults(Path(sys.argv[1]))
for fault in found:
    print(fault)
print(f"{sys.argv[1]}: {len(found)} faults in permissions and secrets")
sys.exit(bool(found))
