"""What is kept in the cache for all sites, as an object of this version's own class."""

from testbench import cache

from .kinds import Hooks


def hooks(names: list[str]) -> Hooks:
    return Hooks(names)


def load() -> object:
    """Reads it as a page does: what another version left there is an error."""
    return cache.get(cache.SHARED_HOOKS, lambda: Hooks([]))
