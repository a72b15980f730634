"""Background jobs on redis-queue, through RQ: names of queues and jobs as on a real bench."""

import importlib
import time
import traceback
import uuid
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from . import apps, context, paths
from .database import Database
from .site import Site, common_config

if TYPE_CHECKING:
    import redis

QUEUES = ("short", "default", "long")
TIMEOUT_SECONDS = {"short": 300, "default": 300, "long": 1500}
RESULT_SECONDS = 600
# How long an unreachable server is tried before a job runs in the caller's process.
PATIENCE_SECONDS = 20.0
EXECUTE = "frappe.utils.background_jobs.execute_job"


def queue_name(queue: str) -> str:
    """The prefix is the path of the bench, as several benches may share a server."""
    return f"{str(paths.BENCH).strip('/').replace('/', '-')}:{queue}"


def connect() -> "redis.Redis":
    import redis  # Most commands need no queue, and to load it takes longer than they do.

    return redis.Redis.from_url(common_config().get("redis_queue", "redis://redis-queue:6379"))


def enqueue(site: Site, method: str, queue: str = "default", job_id: str | None = None, **arguments: Any) -> str:
    """Queues a call and returns the job's id. Without a server the call runs here, after a while."""
    from redis import RedisError

    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            connect().ping()
            break
        except RedisError:
            if time.monotonic() > deadline:
                print(f"Redis queue is unreachable: Executing {method} synchronously")
                execute_job(site.name, method, arguments)
                return ""
            time.sleep(1)
    from rq import Queue

    job_id = f"{site.name}::{job_id or uuid.uuid4()}"
    Queue(queue_name(queue), connection=connect()).enqueue_call(
        EXECUTE, kwargs={"site": site.name, "method": method, "kwargs": arguments}, job_id=job_id,
        timeout=TIMEOUT_SECONDS[queue], result_ttl=RESULT_SECONDS, failure_ttl=7 * 24 * 3600,
    )
    return job_id


def execute_job(site: str, method: str, kwargs: dict[str, Any]) -> Any:
    """What a worker calls: the method, in the context of the site."""
    apps.prepare_imports()
    module, _, name = method.rpartition(".")
    function = getattr(importlib.import_module(module), name)
    with Database(Site(site).require()) as opened, context.use(opened):
        try:
            return function(**kwargs)
        except Exception as error:
            opened.rollback()
            opened.insert("Error Log", name=uuid.uuid4().hex[:10], method=method, error=traceback.format_exc(),
                          creation=datetime.now(timezone.utc).replace(tzinfo=None), seen=0)
            opened.commit()
            raise error


def jobs(site: str | None) -> dict[str, list[Any]]:
    """Waiting jobs of a site, by queue."""
    from rq import Queue

    found = {}
    for queue in QUEUES:
        waiting = Queue(queue_name(queue), connection=connect()).get_jobs()
        found[queue] = [job for job in waiting if job.id.startswith(f"{site}::")]
    return found


def running(site: str) -> list[str]:
    """Ids of the site's jobs that a worker holds."""
    from rq.registry import StartedJobRegistry

    return [name for queue in QUEUES
            for name in StartedJobRegistry(queue_name(queue), connection=connect()).get_job_ids()
            if name.startswith(f"{site}::")]


def purge(site: str, queue: str | None) -> int:
    """Deletes waiting jobs and returns how many there were; a running one goes on."""
    count = 0
    for name, waiting in jobs(site).items():
        if queue in (None, name):
            for job in waiting:
                job.delete()
                count += 1
    return count


def workers_online() -> int:
    from rq import Worker

    return Worker.count(connection=connect())
