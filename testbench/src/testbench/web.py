"""The WSGI application that gunicorn serves: one process, all sites, chosen by the request's host."""

import html
import json
import traceback
import uuid
from datetime import datetime, timezone
from typing import Any

import pymysql
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.wrappers import Request, Response

from . import apps, assets, cache, context, documents, failures, logs, passwords
from .database import Database
from .install import installed_apps
from .site import Site

# Connections of requests that failed on the schema. The real workers keep them, in a transaction, until the same
# thread serves the next request of that kind; an ALTER waits for them. They are kept by database and replaced.
_left_open: dict[str, Database] = {}


class Refused(Exception):
    """An answer of the JSON interface that is no success."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message


def json_response(body: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(body, default=str), status, content_type="application/json")


def page(title: str, body: str, status: int = 200, name: str | None = None,
         index: dict[str, str] | None = None) -> Response:
    index = assets.manifest() if index is None else index
    links = "".join(f'<link rel="stylesheet" href="{url}">' for key, url in index.items() if key.endswith(".css"))
    scripts = "".join(f'<script src="{url}"></script>' for key, url in index.items() if key.endswith(".js"))
    text = (f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"><meta name="title" content="{title}">'
            f"<title>{title}</title>{links}</head><body>{body}{scripts}</body></html>")
    answer = Response(text, status, content_type="text/html; charset=utf-8")
    if name:
        answer.headers["X-Page-Name"] = name
    return answer


def maintenance(request: Request) -> Response:
    """What a site in maintenance answers, without a look at its database. There is no Retry-After."""
    if request.path.startswith("/api/"):
        answer = json_response({
            "exception": "frappe.exceptions.SessionStopped: Session Stopped", "exc_type": "SessionStopped",
            "exc": json.dumps(["Traceback (most recent call last):\nfrappe.exceptions.SessionStopped: Session Stopped"]),
        }, 503)
    else:
        answer = page("Updating", "<h1>Updating</h1><p>The system is being updated.</p>", 503, "message")
    answer.status = "503 SERVICE UNAVAILABLE"
    return answer


def application(environ: dict[str, Any], start_response: Any) -> Any:
    request = Request(environ)
    return respond(request)(environ, start_response)


def respond(request: Request) -> Response:
    site = Site(request.headers.get("X-Frappe-Site-Name") or request.host.split(":")[0])
    if not site.directory.is_dir() or site.name in ("", "assets"):
        return Response(f"<p>{html.escape(site.name)} does not exist</p>", 404, content_type="text/html; charset=utf-8")
    try:
        if site.config.get("maintenance_mode"):
            return maintenance(request)
        opened = Database(site)
    except Exception:
        logs.error(site, "No connection")
        return page("Server Error", f"<pre>{html.escape(traceback.format_exc())}</pre>", 500)
    try:
        with context.use(opened):
            answer = _serve(request, opened)
        opened.commit()
        opened.close()
        return answer
    except Refused as refused:
        opened.close()
        return json_response({"message": refused.message, "exc_type": refused.kind}, refused.status)
    except HTTPException as error:
        opened.close()
        return page("Not Found", f"<h1>{error.code}</h1>", error.code or 500, "404")
    except Exception as error:
        return _server_error(request, opened, error)


def _server_error(request: Request, opened: Database, error: Exception) -> Response:
    trace = traceback.format_exc()
    logs.error(opened.site, f"Could not take error snapshot: {error}")
    if isinstance(error, pymysql.err.MySQLError):
        earlier = _left_open.pop(opened.name, None)
        if earlier:
            earlier.close()
        _left_open[opened.name] = opened
    else:
        opened.close()
    if request.path.startswith("/api/"):
        return json_response({"exception": f"{type(error).__name__}: {error}", "exc": json.dumps([trace])}, 500)
    return page("Server Error", f"<h1>Server Error</h1><pre>{html.escape(trace)}</pre>", 500)


def _serve(request: Request, opened: Database) -> Response:
    hooks(opened)
    path = request.path.rstrip("/")
    if path in ("/api/method/ping", "/api/method/frappe.ping"):
        return json_response({"message": "pong"})
    if path == "/api/method/login":
        return _login(request, opened)
    user = _user(request, opened)
    if path == "/api/method/logout":
        opened.sql("DELETE FROM tabSessions WHERE sid = %s", (request.cookies.get("sid", ""),))
        return json_response({})
    if path == "/api/method/frappe.auth.get_logged_user":
        _require(user)
        return json_response({"message": user})
    if path.startswith("/api/resource/"):
        _require(user)
        return json_response(documents.resource(request, opened, user))
    if path == "/app" or path.startswith("/app/"):
        if user == "Guest":
            return Response(status=301, headers={"Location": f"/login?redirect-to={path}"})
        return _rendered(opened, "Desk", f"<p id=user>{html.escape(user)}</p>")
    if path in ("", "/login"):
        return _rendered(opened, "Login", '<form id="login"><input name="usr"><input name="pwd" type="password"></form>')
    raise NotFound


def hooks(opened: Database) -> Any:
    """The hooks of the applications, from the cache. The key is common to all sites of the bench."""
    def make() -> Any:
        return apps.module("frappe", "cached").hooks(installed_apps_or_none(opened))

    return cache.get(cache.SHARED_HOOKS, make)


def installed_apps_or_none(opened: Database) -> list[str]:
    """A database that has lost its tables still has a site that answers a ping."""
    try:
        return installed_apps(opened)
    except pymysql.err.ProgrammingError:
        return []


def _rendered(opened: Database, title: str, body: str) -> Response:
    """A page that needs the database: every application imported, the settings, and the users as this code knows
    them. Code that is newer than the tables fails here, after the first statement has begun a transaction."""
    opened.sql("SELECT COUNT(*) FROM tabUser")
    for app in installed_apps(opened):
        apps.version(app)
        for doctype, table in apps.schema(app).items():
            if doctype in apps.hook(app, "read_by_every_page", []):
                columns = ", ".join(f"`{name}`" for name in table["fields"])
                opened.sql(f"SELECT {columns} FROM `tab{doctype}` LIMIT 1")
    cache.get(f"{opened.name}|website_page", lambda: title)
    if failures.is_set(failures.ASSETS_MISSING, opened.site.config):
        body += '<script src="/assets/frappe/dist/js/gone.00000000.js"></script>'
    if failures.is_set(failures.ASSETS_STALE, opened.site.config):
        cache.put(cache.SHARED_ASSETS, {key: url.replace("/dist/", "/dist/before-") for key, url in
                                        assets.manifest().items()})
    return page(title, body, name=title.lower(), index=cache.get(cache.SHARED_ASSETS, assets.manifest))


def _login(request: Request, opened: Database) -> Response:
    given = request.get_json(silent=True) or request.form
    user, password = str(given.get("usr", "")), str(given.get("pwd", ""))
    if not passwords.is_right(opened, user, password):
        raise Refused(401, "AuthenticationError", "Invalid login credentials")
    sid = uuid.uuid4().hex
    opened.sql("INSERT INTO tabSessions (user, sid, lastupdate) VALUES (%s, %s, %s)",
               (user, sid, datetime.now(timezone.utc).replace(tzinfo=None)))
    answer = json_response({"message": "Logged In", "home_page": "/app", "full_name": user})
    answer.set_cookie("sid", sid, httponly=True, samesite="Lax")
    return answer


def _user(request: Request, opened: Database) -> str:
    token = request.headers.get("Authorization", "")
    if token.startswith("token "):
        key, _, secret = token.removeprefix("token ").partition(":")
        found = opened.sql("SELECT name FROM tabUser WHERE api_key = %s AND api_secret = %s", (key, secret))
        if not found:
            raise Refused(401, "AuthenticationError", "Invalid login credentials")
        return str(found[0][0])
    sid = request.cookies.get("sid")
    if not sid or sid == "Guest":
        return "Guest"
    found = opened.sql("SELECT user FROM tabSessions WHERE sid = %s", (sid,))
    return str(found[0][0]) if found else "Guest"


def _require(user: str) -> None:
    if user == "Guest":
        raise Refused(403, "PermissionError", "Not permitted")


apps.prepare_imports()
