"""Classes whose objects are kept in the cache."""


class Hooks(dict):
    """The hooks of the applications of a site."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(apps=names)
