"""Nothing to begin with."""

from testbench.database import Database


def after_install(opened: Database) -> None:
    """The tables are enough."""
