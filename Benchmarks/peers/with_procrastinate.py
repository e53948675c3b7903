"""procrastinate 3.10. It fetches jobs one by one, so concurrency is what it has; more than about 30 does not help it."""
import asyncio
import logging
import os
import time

import uvloop
from measure import DSN, arguments, bulk, commit_now_and_then, drained, enqueued, execute, job, pick_up
from procrastinate import App, PsycopgConnector

logging.disable(logging.CRITICAL)
CONCURRENCY = 10
claimed = {}


def application(connections):
    app = App(connector=PsycopgConnector(conninfo=DSN, min_size=connections, max_size=connections))

    @app.task(queue="q", name="noop")
    async def noop(**_):
        pass

    @app.task(queue="q", name="note")
    async def note(number, **_):
        claimed[number] = time.time()

    return app, noop, note


async def main():
    command, numbers = arguments()
    app, noop, note = application(numbers[0] if command == "enqueue" else CONCURRENCY + 2)
    async with app.open_async():
        if command == "install":
            await app.schema_manager.apply_schema_async()
            return
        if command == "enqueuer":
            return await commit_now_and_then(numbers[0], lambda n: note.defer_async(number=n, **job(n)))
        await execute("truncate procrastinate_jobs, procrastinate_workers cascade")

        async def fill(first, count):
            await noop.batch_defer_async(*[job(first + n) for n in range(count)])

        worker = dict(queues=["q"], concurrency=CONCURRENCY, install_signal_handlers=False)
        if command == "drain":
            for first in range(0, numbers[0], 1000):
                await fill(first, min(1000, numbers[0] - first))
            await execute("vacuum analyze procrastinate_jobs")
            await drained(numbers[0], lambda: app.run_worker_async(**worker, wait=False))
        elif command == "enqueue":
            await enqueued(numbers[0], numbers[1], lambda _, n: noop.defer_async(**job(n)))
        elif command == "bulk":
            await bulk(numbers[0], fill)
        elif command == "pickup":
            running = asyncio.create_task(app.run_worker_async(**worker))
            await pick_up(numbers[0], claimed)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        else:
            raise SystemExit(f"unknown command {command}")


uvloop.run(main())
