"""The log files of a bench. Times are UTC, whatever the site's time zone is."""

import traceback
from datetime import datetime, timezone

from . import paths
from .site import Site

ROTATE_AT_BYTES = 100_000


def write(name: str, level: str, logger: str, text: str, site: Site | None = None) -> None:
    """Appends one entry to logs/NAME.log, and to the site's own file of that name."""
    now = datetime.now(timezone.utc)
    entry = f"{now:%Y-%m-%d %H:%M:%S},{now.microsecond // 1000:03} {level} {logger} {text}\n"
    directories = [paths.LOGS] + ([site.directory / "logs"] if site and site.directory.is_dir() else [])
    for directory in directories:
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"{name}.log"
        if path.exists() and path.stat().st_size > ROTATE_AT_BYTES:
            path.replace(path.with_suffix(".log.1"))
        with path.open("a") as handle:
            handle.write(entry)


def command(argv: list[str]) -> None:
    """Every command line in full: a password given as a flag stands here, as it does on a real bench."""
    write("bench", "INFO", "/usr/local/bin/bench", " ".join(argv[1:]))


def ddl(site: Site, statement: str) -> None:
    write("database", "WARNING", "database", f"DDL Query made to DB:\n{statement}", site)


def error(site: Site, message: str) -> None:
    """An error while a site was served, with the traceback that is being handled."""
    write("frappe", "ERROR", "frappe", f"{message}\nSite: {site.name}\n{traceback.format_exc()}", site)
