"""A small multi-tenant application behind the bench command line.

It is a test double with real parts: MariaDB databases, RQ workers, gunicorn, nginx. What it does and how it fails
follows recorded facts about Frappe 15; it shares no code with it.
"""
