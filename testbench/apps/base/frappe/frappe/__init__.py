"""What every site has: users, settings, jobs, the log of patches. Not Frappe, and named like it."""

from typing import Any

__version__ = "@VERSION@"


def ping() -> str:
    """A method that does nothing."""
    return "pong"


def enqueue(method: str, queue: str = "default", job_id: str | None = None, enqueue_after_commit: bool = False,
            **arguments: Any) -> Any:
    """Queues a call. Without `enqueue_after_commit` the job is returned, which `bench execute` cannot print."""
    from testbench import context
    from testbench import queue as queues

    site = context.site()
    if enqueue_after_commit:
        context.database().after_commit.append(lambda: queues.enqueue(site, method, queue, job_id, **arguments))
        return None
    queues.enqueue(site, method, queue, job_id, **arguments)
    return object()


def get_installed_apps() -> list[str]:
    """The applications of the site that the running code is about."""
    from testbench import context, install

    return install.installed_apps(context.database())
