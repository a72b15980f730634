"""Methods that are called by their dotted names: by `bench execute`, by jobs, by the scheduler."""

import time
from datetime import datetime, timezone


def now() -> str:
    return datetime.now(timezone.utc).isoformat()


def now_hourly() -> str:
    return now()


def sleep(seconds: float = 1.0) -> None:
    """A job that takes its time."""
    time.sleep(seconds)


def throw() -> None:
    """A job that fails."""
    raise ValueError("boom")
