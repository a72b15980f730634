"""Passwords of users, kept as salted hashes apart from the user documents."""

import hashlib
import hmac
import secrets

from .database import Database

# Low, for a test double: a login must not cost a CI machine a tenth of a second.
ITERATIONS = 1000


def _hash(password: str, salt: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), ITERATIONS).hex()


def set_password(opened: Database, user: str, password: str) -> None:
    salt = secrets.token_hex(8)
    opened.sql("DELETE FROM __Auth WHERE doctype = 'User' AND name = %s", (user,))
    opened.sql("INSERT INTO __Auth (doctype, name, fieldname, password, encrypted) "
               "VALUES ('User', %s, 'password', %s, 0)", (user, f"{salt}${_hash(password, salt)}"))


def is_right(opened: Database, user: str, password: str) -> bool:
    found = opened.sql("SELECT password FROM __Auth WHERE doctype = 'User' AND name = %s", (user,))
    if not found:
        return False
    salt, _, expected = found[0][0].partition("$")
    return hmac.compare_digest(expected, _hash(password, salt))
