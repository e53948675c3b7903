"""What the three peers' programs share: where Postgres is, what a job carries, and how a measurement is told."""
import asyncio
import hashlib
import os
import sys
import time

import asyncpg

DSN = f"postgresql://{os.environ['PGUSER']}@{os.environ['PGHOST']}:{os.environ['PGPORT']}/{os.environ['PGDATABASE']}"


def job(number):
    """About as much as a worker has to know of an upload."""
    digest = hashlib.md5(str(number).encode()).hexdigest()
    return {
        "bucket": "media", "tmp_key": f"tmp/s3file/{digest}/photo.jpg", "key": f"uploads/{digest}.jpg",
        "etag": f'"{digest}"', "size": 123456, "content_type": "image/jpeg",
    }


def tell(metric, value):
    print(f"{metric}\t{value}", flush=True)


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def counters():
    """(commits of this database, WAL bytes of the cluster)"""
    connection = await asyncpg.connect(DSN)
    try:
        await asyncio.sleep(1.1)  # A backend reports its commits at most once a second.
        return await connection.fetchrow(
            "select xact_commit, (pg_current_wal_insert_lsn() - '0/0')::bigint as wal from pg_stat_database where datname = current_database()"
        )
    finally:
        await connection.close()


async def execute(*statements):
    connection = await asyncpg.connect(DSN)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def drained(jobs, drain):
    """Measures `await drain()`, which returns when all jobs are recorded as done, with the moment of that."""
    before = await counters()
    start = time.time()
    end = await drain() or time.time()
    after = await counters()
    tell("jobs/s", jobs / (end - start))
    tell("commits/job", (after["xact_commit"] - before["xact_commit"]) / jobs)
    tell("WAL B/job", (after["wal"] - before["wal"]) / jobs)


async def enqueued(connections, seconds, enqueue):
    """Measures `await enqueue(task, number)` by many tasks at once, each after the other."""
    latencies = []
    end = time.perf_counter() + seconds

    async def one(task):
        number = task
        while (start := time.perf_counter()) < end:
            await enqueue(task, number)
            latencies.append(time.perf_counter() - start)
            number += connections

    start = time.perf_counter()
    await asyncio.gather(*[one(task) for task in range(connections)])
    tell("rows/s", len(latencies) / (time.perf_counter() - start))
    tell("p50 ms", percentile(latencies, 0.5) * 1e3)
    tell("p99 ms", percentile(latencies, 0.99) * 1e3)


async def bulk(rows, enqueue):
    """Measures `await enqueue(first, count)` in thousands."""
    start = time.perf_counter()
    for first in range(0, rows, 1000):
        await enqueue(first, min(1000, rows - first))
    tell("rows/s", rows / (time.perf_counter() - start))


def picked_up(committed, claimed):
    """Tells the times between commit and claim, which two processes noted."""
    latencies = [claimed[number] - committed[number] for number in committed if number in claimed]
    tell("picked up", len(latencies))
    tell("p50 ms", percentile(latencies, 0.5) * 1e3)
    tell("p99 ms", percentile(latencies, 0.99) * 1e3)


async def commit_now_and_then(count, enqueue):
    """The enqueuing side of the pick-up latency, in a process of its own: `number seconds` a line, the moment that the commit returned."""
    import random

    for number in range(count):
        await asyncio.sleep(random.uniform(0.02, 0.12))
        await enqueue(number)
        print(number, time.time(), flush=True)


async def pick_up(count, claimed, settle=3.0):
    """The worker's side: runs the enqueuing process, and compares when all are there."""
    await asyncio.sleep(2)  # The worker has said that it listens, and is idle.
    process = await asyncio.create_subprocess_exec(
        sys.executable, sys.argv[0], "enqueuer", str(count), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    committed = {int(number): float(at) for number, at in (line.split() for line in output.decode().splitlines())}
    deadline = time.time() + settle
    while len(claimed) < count and time.time() < deadline:
        await asyncio.sleep(0.05)
    picked_up(committed, claimed)


def arguments():
    return sys.argv[1], [int(argument) for argument in sys.argv[2:]]
