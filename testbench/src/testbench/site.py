"""A site: its directory, its configuration and the lock files in it."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
import fcntl

from . import paths


class SiteMissing(Exception):
    """No directory with a site_config.json has this name."""


class LockTimeoutError(Exception):
    """Another process holds the lock of this name."""


def read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return {}


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Writes as bench does: sorted, indented by one, no newline at the end."""
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(json.dumps(values, sort_keys=True, indent=1))
    temporary.replace(path)


def common_config() -> dict[str, Any]:
    return read_json(paths.SITES / "common_site_config.json")


def all_sites() -> list[str]:
    """Names of all sites, sorted: the order in which `--site all` takes them."""
    return sorted(entry.parent.name for entry in paths.SITES.glob("*/site_config.json"))


class Site:
    """A site that exists, or is about to."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.directory = paths.SITES / name
        self.config_path = self.directory / "site_config.json"

    @property
    def exists(self) -> bool:
        return self.config_path.is_file()

    @property
    def own_config(self) -> dict[str, Any]:
        return read_json(self.config_path)

    @property
    def config(self) -> dict[str, Any]:
        """The site's configuration over the common one, read anew: a change holds from the next request on."""
        return common_config() | self.own_config

    def set(self, key: str, value: Any) -> None:
        """Sets a key of site_config.json; None removes it."""
        config = self.own_config
        if value is None:
            config.pop(key, None)
        else:
            config[key] = value
        write_json(self.config_path, config)

    def require(self) -> "Site":
        if not self.exists:
            raise SiteMissing(self.name)
        return self

    def make_directories(self) -> None:
        for part in ("locks", "logs", "private/backups", "private/files", "public/files"):
            (self.directory / part).mkdir(parents=True, exist_ok=True)

    @contextmanager
    def lock(self, name: str, timeout: float = 1.0) -> Iterator[None]:
        """Holds a lock of the site. Its empty file stays behind: that it is there says nothing."""
        path = self.directory / "locks" / f"{name}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + timeout
        with path.open("a") as handle:
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise LockTimeoutError(
                            f"Failed to aquire lock: {name}. You may manually remove the lock by deleting it: {path}"
                        ) from None
                    time.sleep(0.1)
            yield
