"""What is kept in the cache for all sites, as an object of this version's own class."""

from testbench import cache

from .frozen import FrozenHooks


def hooks(names: list[str]) -> FrozenHooks:
    return FrozenHooks(apps=names)


def load() -> object:
    """Reads it as a page does: what another version left there is an error."""
    return cache.get(cache.SHARED_HOOKS, lambda: FrozenHooks(apps=[]))
