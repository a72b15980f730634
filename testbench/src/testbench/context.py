"""The site that the running code is about, for code that is called by its dotted name and gets no site."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from .database import Database
from .site import Site

_database: ContextVar[Database] = ContextVar("database")


def database() -> Database:
    return _database.get()


def site() -> Site:
    return _database.get().site


@contextmanager
def use(opened: Database) -> Iterator[Database]:
    token = _database.set(opened)
    try:
        yield opened
    finally:
        _database.reset(token)
