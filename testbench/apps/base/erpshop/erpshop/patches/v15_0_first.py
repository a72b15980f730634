"""A patch that every site has behind it."""

from testbench.database import Database


def execute(opened: Database) -> None:
    opened.set_single("Shop Settings", "first", 1)
