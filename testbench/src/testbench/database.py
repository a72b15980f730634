"""Access to a site's MariaDB database, and the administration of databases and users."""

import socket
from collections.abc import Callable
from typing import Any

import pymysql
from pymysql.constants import CLIENT

from . import logs
from .site import Site, common_config

DDL_WORDS = ("ALTER", "CREATE", "DROP", "TRUNCATE", "RENAME")


def host_and_port(config: dict[str, Any] | None = None) -> tuple[str, int]:
    """The server of a site with this configuration, or that of the bench."""
    config = common_config() if config is None else config
    return config.get("db_host", "db"), int(config.get("db_port", 3306))


def is_reachable() -> bool:
    try:
        with socket.create_connection(host_and_port(), timeout=3):
            return True
    except OSError:
        return False


def quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


class Database:
    """One connection to one site's database, in a transaction until `commit`."""

    def __init__(self, site: Site) -> None:
        config = site.config
        host, port = host_and_port(config)
        self.site = site
        self.after_commit: list[Callable[[], Any]] = []
        self.name: str = config["db_name"]
        self.connection = pymysql.connect(
            host=host, port=port, user=self.name, password=config["db_password"], database=self.name,
            charset="utf8mb4", autocommit=False,
        )

    def sql(self, statement: str, values: tuple[Any, ...] | list[Any] = ()) -> list[tuple[Any, ...]]:
        """Runs one statement and returns its rows; statements that change the schema are logged."""
        if statement.lstrip()[:8].upper().startswith(DDL_WORDS):
            logs.ddl(self.site, statement)
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return list(cursor.fetchall())

    def rows(self, statement: str, values: tuple[Any, ...] | list[Any] = ()) -> list[dict[str, Any]]:
        with self.connection.cursor(pymysql.cursors.DictCursor) as cursor:
            cursor.execute(statement, values or None)
            return list(cursor.fetchall())

    def insert(self, doctype: str, **values: Any) -> None:
        columns = ", ".join(quoted(key) for key in values)
        marks = ", ".join(["%s"] * len(values))
        self.sql(f"INSERT INTO {quoted('tab' + doctype)} ({columns}) VALUES ({marks})", list(values.values()))

    def insert_many(self, doctype: str, columns: list[str], rows: list[tuple[Any, ...]]) -> None:
        """Inserts rows in one statement, which is what makes a new site cheap."""
        names = ", ".join(quoted(key) for key in columns)
        marks = ", ".join(["%s"] * len(columns))
        with self.connection.cursor() as cursor:
            cursor.executemany(f"INSERT INTO {quoted('tab' + doctype)} ({names}) VALUES ({marks})", rows)

    def single(self, doctype: str, field: str) -> str | None:
        """A field of a document of which there is only one."""
        found = self.sql("SELECT value FROM tabSingles WHERE doctype = %s AND field = %s", (doctype, field))
        return found[0][0] if found else None

    def set_single(self, doctype: str, field: str, value: Any) -> None:
        self.sql("DELETE FROM tabSingles WHERE doctype = %s AND field = %s", (doctype, field))
        self.sql("INSERT INTO tabSingles (doctype, field, value) VALUES (%s, %s, %s)", (doctype, field, str(value)))

    def columns(self) -> dict[str, set[str]]:
        """Columns of each table, as the server knows them."""
        found: dict[str, set[str]] = {}
        for table, column in self.sql(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = %s", (self.name,)
        ):
            found.setdefault(table, set()).add(column)
        return found

    def commit(self) -> None:
        self.connection.commit()
        waiting, self.after_commit = self.after_commit, []
        for call in waiting:
            call()

    def rollback(self) -> None:
        self.connection.rollback()

    def close(self) -> None:
        self.connection.close()

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.commit()
        finally:
            self.close()


class Root:
    """The administrator's connection, which makes and drops databases and their users."""

    def __init__(self, password: str, user: str = "root") -> None:
        host, port = host_and_port()
        self.connection = pymysql.connect(
            host=host, port=port, user=user, password=password, autocommit=True,
            client_flag=CLIENT.MULTI_STATEMENTS, charset="utf8mb4",
        )

    def run(self, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return list(cursor.fetchall())

    def own_host(self) -> str:
        """This client's address as the server sees it: what a user is bound to when nobody says otherwise."""
        return str(self.run("SELECT SUBSTRING_INDEX(USER(), '@', -1)")[0][0])

    def create(self, name: str, password: str, scope: str | None) -> None:
        """Drops the database if it is there, makes it empty, and lets a user of its name in from `scope`."""
        scope = scope or self.own_host()
        self.run(f"DROP DATABASE IF EXISTS {quoted(name)}")
        self.run(f"CREATE DATABASE {quoted(name)} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
        self.run("CREATE OR REPLACE USER %s@%s IDENTIFIED BY %s", (name, scope, password))
        self.run(f"GRANT ALL PRIVILEGES ON {quoted(name)}.* TO %s@%s", (name, scope))

    def drop(self, name: str) -> None:
        self.run(f"DROP DATABASE IF EXISTS {quoted(name)}")
        for (host,) in self.run("SELECT Host FROM mysql.user WHERE User = %s", (name,)):
            self.run("DROP USER IF EXISTS %s@%s", (name, host))


