"""The first documents of a site."""

from datetime import datetime, timezone

from testbench.database import Database
from testbench.install import DEFAULT_TIME_ZONE


def after_install(opened: Database) -> None:
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    opened.insert_many("User", ["name", "creation", "enabled"], [("Administrator", now, 1), ("Guest", now, 1)])
    opened.set_single("System Settings", "time_zone", DEFAULT_TIME_ZONE)
    opened.set_single("System Settings", "enable_scheduler", 0)
