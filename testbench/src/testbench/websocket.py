"""The websocket service: a socket.io server that takes handshakes and needs redis-queue, as the real one does."""

import asyncio

import redis
import socketio
from aiohttp import web

from . import queue
from .site import common_config


def make() -> web.Application:
    server = socketio.AsyncServer(async_mode="aiohttp", cors_allowed_origins="*")
    application = web.Application()
    server.attach(application)

    async def end_without_queue(_: web.Application) -> None:
        asyncio.get_running_loop().create_task(_watch_queue())

    application.on_startup.append(end_without_queue)
    return application


async def _watch_queue() -> None:
    """Ends the process when redis-queue is away: Docker starts it again, until the server is back."""
    while True:
        try:
            await asyncio.to_thread(queue.connect().ping)
        except redis.RedisError as error:
            print(f"redis-queue: {error}", flush=True)
            asyncio.get_running_loop().stop()
            return
        await asyncio.sleep(5)


def serve() -> None:
    web.run_app(make(), host="0.0.0.0", port=int(common_config().get("socketio_port", 9000)), print=None)
