"""Where things lie on a bench, as in the official container layout."""

import os
from pathlib import Path

BENCH = Path(os.environ.get("TESTBENCH_ROOT", "/home/frappe/frappe-bench"))
SITES = BENCH / "sites"
APPS = BENCH / "apps"
ASSETS = BENCH / "assets"
LOGS = BENCH / "logs"
ARCHIVED = BENCH / "archived" / "sites"
