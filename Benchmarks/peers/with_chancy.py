"""chancy 0.26: the asyncio executor, a concurrency of 1,000, eager polling. It records what is done once a second, by design."""
import asyncio
import logging
import os
import signal
import time

import uvloop
from chancy import Chancy, Queue, Worker, job as chancy_job
from measure import DSN, arguments, bulk, commit_now_and_then, drained, enqueued, execute, job, pick_up

logging.disable(logging.CRITICAL)
CONCURRENCY = 1000
claimed = {}


@chancy_job(queue="q")
async def noop(**_):
    pass


@chancy_job(queue="q")
async def note(number: int, **_):
    claimed[number] = time.time()


def with_arguments(kind, of, **more):
    return kind.job.with_kwargs(**job(of), **more)


async def main():
    command, numbers = arguments()
    connections = numbers[0] if command == "enqueue" else 10
    async with Chancy(DSN, min_connection_pool_size=connections, max_connection_pool_size=connections) as chancy:
        await chancy.pool.wait()
        if command == "install":
            return await chancy.migrate()
        if command == "enqueuer":
            return await commit_now_and_then(numbers[0], lambda n: chancy.push(with_arguments(note, n, number=n)))
        await execute("truncate chancy_jobs")
        queue = Queue(
            name="q", concurrency=CONCURRENCY, executor=Chancy.Executor.Async, polling_interval=1, eager_polling=True
        )
        await chancy.declare(queue, upsert=True)

        async def fill(first, count):
            async for _ in chancy.push_many([with_arguments(noop, first + n) for n in range(count)]):
                pass

        if command == "drain":
            for first in range(0, numbers[0], 1000):
                await fill(first, min(1000, numbers[0] - first))
            await execute("vacuum analyze chancy_jobs")

            async def drain():
                async with Worker(chancy, register_signal_handlers=False):
                    while True:
                        async with chancy.pool.connection() as connection:
                            left = await connection.execute("select 1 from chancy_jobs where state <> 'succeeded' limit 1")
                            if await left.fetchone() is None:
                                return time.time()  # Leaving the worker takes seconds of its own.
                        await asyncio.sleep(0.1)

            await drained(numbers[0], drain)
        elif command == "enqueue":
            await enqueued(numbers[0], numbers[1], lambda _, n: chancy.push(with_arguments(noop, n)))
        elif command == "bulk":
            await bulk(numbers[0], fill)
        elif command == "pickup":
            async with Worker(chancy, register_signal_handlers=False):
                await pick_up(numbers[0], claimed)
        else:
            raise SystemExit(f"unknown command {command}")


async def run():
    try:
        await main()
    finally:
        # The process pool of its default executor would outlive this program.
        for child in open(f"/proc/self/task/{os.getpid()}/children").read().split():
            os.kill(int(child), signal.SIGKILL)


if __name__ == "__main__":  # Its process pool imports this file anew.
    uvloop.run(run())
    os._exit(0)
