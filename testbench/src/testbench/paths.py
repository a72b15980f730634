"""Where things lie on a bench: as in the official container layout, or as on a host."""

import os
from pathlib import Path

CONTAINER = "/home/frappe/frappe-bench"


def bench() -> Path:
    """The bench that commands are for: the directory they run in, or one above it; in a container, the only one."""
    here = Path.cwd()
    for directory in (here, *here.parents):
        if (directory / "apps").is_dir() and (directory / "sites" / "apps.txt").is_file():
            return directory
    return Path(CONTAINER)


BENCH = Path(os.environ["TESTBENCH_ROOT"]) if "TESTBENCH_ROOT" in os.environ else bench()
SITES = BENCH / "sites"
APPS = BENCH / "apps"
# In an image they are a layer of it, to which the volume of the sites has a link.
ASSETS = BENCH / "assets" if (BENCH / "assets").is_dir() else SITES / "assets"
LOGS = BENCH / "logs"
ARCHIVED = BENCH / "archived" / "sites"
# The virtual environment, which only a bench on a host has filled.
PYTHON = BENCH / "env" / "bin" / "python"
