"""Classes whose objects are kept in the cache since 15.2."""


class FrozenHooks(dict):
    """The hooks of the applications of a site."""
