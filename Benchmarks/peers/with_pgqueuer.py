"""pgqueuer 1.6 with asyncpg: batches of 1,000 and four consumers in one process did best; it flushes what is done by itself."""
import asyncio
import json
import logging
import time

import asyncpg
import uvloop
from measure import DSN, arguments, bulk, commit_now_and_then, drained, enqueued, execute, job, pick_up
from pgqueuer import PgQueuer, types
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries

logging.disable(logging.CRITICAL)
CONSUMERS, BATCH = 1, 1000
claimed = {}


async def consumers(count):
    """One connection each."""
    result = []
    for _ in range(count):
        consumer = PgQueuer(AsyncpgDriver(await asyncpg.connect(DSN)))

        @consumer.entrypoint("noop")
        async def noop(job):
            pass

        @consumer.entrypoint("note")
        async def note(job):
            claimed[json.loads(job.payload)["number"]] = time.time()

        result.append(consumer)
    return result


def payload(number):
    return json.dumps({"number": number, **job(number)}).encode()


async def main():
    command, numbers = arguments()
    queries = Queries(AsyncpgDriver(await asyncpg.connect(DSN)))
    if command == "install":
        return await queries.install()
    if command == "enqueuer":
        return await commit_now_and_then(numbers[0], lambda n: queries.enqueue("note", payload(n)))
    await execute("truncate pgqueuer, pgqueuer_log, pgqueuer_statistics")

    async def fill(first, count):
        await queries.enqueue(["noop"] * count, [payload(first + n) for n in range(count)], [0] * count)

    if command == "drain":
        for first in range(0, numbers[0], 1000):
            await fill(first, min(1000, numbers[0] - first))
        await execute("vacuum analyze pgqueuer")
        workers = await consumers(CONSUMERS)

        async def drain():
            await asyncio.gather(*[w.run(batch_size=BATCH, mode=types.QueueExecutionMode.drain) for w in workers])

        await drained(numbers[0], drain)
    elif command == "enqueue":
        each = [Queries(AsyncpgDriver(await asyncpg.connect(DSN))) for _ in range(numbers[0])]
        await enqueued(numbers[0], numbers[1], lambda task, n: each[task].enqueue("noop", payload(n)))
    elif command == "bulk":
        await bulk(numbers[0], fill)
    elif command == "pickup":
        [worker] = await consumers(1)
        running = asyncio.create_task(worker.run(batch_size=10))
        await pick_up(numbers[0], claimed)
        worker.shutdown.set()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    else:
        raise SystemExit(f"unknown command {command}")


uvloop.run(main())
