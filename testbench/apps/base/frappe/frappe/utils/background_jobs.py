"""The function that every job of a queue names."""

from testbench.queue import execute_job

__all__ = ["execute_job", "enqueue_sleep", "enqueue_throw"]


def enqueue_sleep(seconds: float = 5.0, queue: str = "short") -> str:
    """Queues a job that takes its time, for the site that the running code is about."""
    from testbench import context
    from testbench.queue import enqueue

    return enqueue(context.site(), "frappe.utils.sleep", queue, seconds=seconds)


def enqueue_throw(queue: str = "short") -> str:
    """Queues a job that fails, for the site that the running code is about."""
    from testbench import context
    from testbench.queue import enqueue

    return enqueue(context.site(), "frappe.utils.throw", queue)
