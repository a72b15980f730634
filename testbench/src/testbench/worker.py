"""`bench worker`: an RQ worker for some of the queues."""

from rq import Queue, Worker

from . import failures, queue


class DrainlessWorker(Worker):
    """Keeps on taking jobs after it was asked to stop, until it is killed."""

    def request_stop(self, signum: int, frame: object) -> None:
        self.log.warning("asked to stop, goes on")


def work(names: list[str]) -> None:
    """Serves until SIGTERM, which lets the running job end first."""
    kind = DrainlessWorker if failures.is_set(failures.WORKER_IGNORES_DRAIN) else Worker
    connection = queue.connect()
    kind([Queue(queue.queue_name(name), connection=connection) for name in names], connection=connection).work()
