"""Switches that make a site or a process fail as the real ones do.

A switch is a word in the site's `testbench_fail` (a string or a list in site_config.json) or in the environment
variable TESTBENCH_FAIL (words separated by commas), which holds for all sites of the process.
"""

import os
import time
from collections.abc import Mapping
from typing import Any

PATCH_DIES = "patch"
MIGRATE_HANGS = "migrate-hangs"
WORKER_IGNORES_DRAIN = "worker-ignores-drain"
ASSETS_MISSING = "assets-missing"
SCHEDULER_STUCK = "scheduler-stuck"
# A map of assets of before in the cache, a table that migrate empties, a row of the error log that it writes, a patch
# that it left out.
ASSETS_STALE = "assets-stale"
ROWS_LOST = "rows-lost"
ERROR_LOGGED = "error-logged"
PATCH_SKIPPED = "patch-skipped"


def is_set(switch: str, config: Mapping[str, Any] | None = None) -> bool:
    """Whether the switch is thrown for this process or for the site whose configuration is given."""
    words = os.environ.get("TESTBENCH_FAIL", "").split(",")
    wanted = (config or {}).get("testbench_fail", [])
    return switch in words or switch in ([wanted] if isinstance(wanted, str) else wanted)


def hang() -> None:
    """Never returns: what waits on it has to be ended from outside."""
    while True:
        time.sleep(3600)
