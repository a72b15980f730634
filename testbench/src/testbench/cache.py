"""redis-cache: values are pickles, so that one version cannot always read what another left."""

import pickle
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .site import common_config

if TYPE_CHECKING:
    import redis

# How long a caller goes on trying when the server is away; each access then goes on without it.
PATIENCE_SECONDS = 9.0
# Not prefixed with a database: `clear-cache` of a site leaves it, and only FLUSHALL helps against a wrong one.
SHARED_HOOKS = "app_hooks"
# Which files the pages of all sites name. It outlives a release unless the cache is emptied.
SHARED_ASSETS = "assets_json"


def connect() -> "redis.Redis":
    import redis  # Most commands need no cache, and to load it takes longer than they do.

    return redis.Redis.from_url(
        common_config().get("redis_cache", "redis://redis-cache:6379"), socket_connect_timeout=3, socket_timeout=5
    )


def is_reachable() -> bool:
    from redis import RedisError

    try:
        return bool(connect().ping())
    except RedisError:
        return False


def _patiently(action: Callable[["redis.Redis"], Any]) -> Any:
    """Tries until PATIENCE_SECONDS are over, then returns None: a lost cache slows a site, and ends nothing."""
    from redis import ConnectionError as Lost

    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return action(connect())
        except Lost:
            if time.monotonic() > deadline:
                return None
            time.sleep(0.5)


def get(key: str, make: Callable[[], Any]) -> Any:
    """The cached value; made and kept when it is not there. An unreadable pickle is an error, as in the original."""
    raw = _patiently(lambda server: server.get(key))
    if raw is not None:
        return pickle.loads(raw)
    value = make()
    _patiently(lambda server: server.set(key, pickle.dumps(value)))
    return value


def put(key: str, value: Any) -> None:
    """Replaces a value."""
    _patiently(lambda server: server.set(key, pickle.dumps(value)))


def clear(prefix: str) -> None:
    """Deletes the keys of one database."""
    def delete(server: "redis.Redis") -> None:
        keys = list(server.scan_iter(f"{prefix}|*", count=1000))
        if keys:
            server.delete(*keys)

    _patiently(delete)
