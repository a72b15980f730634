"""`bench schedule`: queues the scheduled jobs of the sites whose scheduler is active."""

import os
import time
import uuid
from datetime import datetime, timedelta, timezone

from . import failures, logs, queue
from .database import Database
from .site import Site, all_sites

# A minute on a real bench; shorter here, so that a test sees a job come.
TICK_SECONDS = float(os.environ.get("TESTBENCH_TICK", "5"))
INTERVALS = {
    "All": timedelta(seconds=20), "Hourly": timedelta(hours=1), "Daily": timedelta(days=1),
    "Weekly": timedelta(weeks=1),
}


def _is_disabled(opened: Database) -> bool:
    return opened.single("System Settings", "enable_scheduler") != "1"


def is_disabled(site: Site) -> bool:
    with Database(site) as opened:
        return _is_disabled(opened)


def set_enabled(site: Site, enabled: bool) -> None:
    with Database(site) as opened:
        opened.set_single("System Settings", "enable_scheduler", int(enabled))


def status(site: Site) -> str:
    """One word. A disabled scheduler is called that even when it is paused as well."""
    if is_disabled(site):
        return "disabled"
    return "paused" if site.config.get("pause_scheduler") else "active"


def _is_held(site: Site) -> bool:
    config = site.config
    return bool(config.get("maintenance_mode") or config.get("pause_scheduler"))


def is_inactive(site: Site) -> bool:
    return _is_held(site) or is_disabled(site)


def enqueue_due(site: Site) -> int:
    """Queues what is due on one site and returns how much that was."""
    if _is_held(site):
        return 0
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    count = 0
    with Database(site) as opened:
        if _is_disabled(opened):
            return 0
        for job in opened.rows("SELECT name, method, frequency, last_execution FROM `tabScheduled Job Type` "
                               "WHERE stopped = 0"):
            last = job["last_execution"]
            if last and now - last < INTERVALS[job["frequency"]]:
                continue
            opened.sql("UPDATE `tabScheduled Job Type` SET last_execution = %s WHERE name = %s", (now, job["name"]))
            opened.insert("Scheduled Job Log", name=uuid.uuid4().hex[:10], creation=now, status="Scheduled",
                          scheduled_job_type=job["name"])
            opened.commit()
            queue.enqueue(site, job["method"], "default")
            count += 1
    return count


def run() -> None:
    """Serves until it is killed; one site's error is logged, and the others are served."""
    while True:
        for name in all_sites():
            site = Site(name)
            if failures.is_set(failures.SCHEDULER_STUCK, site.config):
                # The process lives and says nothing: only jobs that do not come show it.
                failures.hang()
            try:
                enqueue_due(site)
            except Exception:
                logs.error(site, "Exception in Enqueue Events for Site")
        time.sleep(TICK_SECONDS)
