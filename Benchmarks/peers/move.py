"""Moves objects of 1 KiB within a bucket, by one of five clients, and prints moves/s and the client's CPU time for each move.

usage: move.py MOVER CONCURRENCY OBJECTS       MOVER: s3file, s5cmd, aws, rclone or boto3

A move is a copy to another key and the removal of the first object. A worker of s3file is a service: it has started, and its queue is
paused, when the uploads are enqueued. Its moves/s are from the moment at which the queue is opened until the last upload is recorded as
stored: claims, leases, fenced settles and all. The tmp objects are deleted by the thousand beside that; moves and deletions/s are until the
last of them is gone, and so is the CPU time. For the others everything is of their process, from its start to its end.
With LATENCY in the environment, such as 30ms, the development server waits so long with each of its replies to the worker.
"""
import concurrent.futures
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

import boto3
import botocore.config

BODY = b"x" * 1024
SOURCE, DESTINATION = "tmp/s3file/f", "moved"
ENDPOINT = os.environ["AWS_ENDPOINT_URL_S3"]


def s3(concurrency):
    return boto3.client("s3", config=botocore.config.Config(max_pool_connections=concurrency))


def move_with_boto3(bucket, concurrency):
    """What somebody who has only boto3 writes: threads, a copy and a delete each."""
    client = s3(concurrency)

    def move(key):
        client.copy_object(Bucket=bucket, Key=DESTINATION + key.removeprefix(SOURCE), CopySource={"Bucket": bucket, "Key": key})
        client.delete_object(Bucket=bucket, Key=key)

    with concurrent.futures.ThreadPoolExecutor(concurrency) as threads:
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=SOURCE):
            list(threads.map(move, [entry["Key"] for entry in page["Contents"]]))


def command(mover, bucket, concurrency, folder):
    if mover == "boto3":
        return [sys.executable, __file__, "boto3-alone", str(concurrency), bucket], {}
    if mover == "s5cmd":
        return ["s5cmd", "--endpoint-url", ENDPOINT, "--numworkers", str(concurrency), "--log", "error", "mv",
                f"s3://{bucket}/{SOURCE}/*", f"s3://{bucket}/{DESTINATION}/"], {}
    if mover == "aws":
        config = pathlib.Path(folder, "aws")
        config.write_text(f"[default]\ns3 =\n  max_concurrent_requests = {concurrency}\n")
        return ["aws", "s3", "mv", "--only-show-errors", "--recursive", f"s3://{bucket}/{SOURCE}/",
                f"s3://{bucket}/{DESTINATION}/"], {"AWS_CONFIG_FILE": str(config)}
    if mover == "rclone":
        return ["rclone", "move", "--transfers", str(concurrency), "--checkers", str(concurrency), "--s3-no-check-bucket",
                f"r:{bucket}/{SOURCE}", f"r:{bucket}/{DESTINATION}"], {
            "RCLONE_CONFIG": "/dev/null", "RCLONE_CONFIG_R_TYPE": "s3", "RCLONE_CONFIG_R_PROVIDER": "Other",
            "RCLONE_CONFIG_R_ENV_AUTH": "true", "RCLONE_CONFIG_R_ENDPOINT": ENDPOINT}
    raise SystemExit(f"unknown mover {mover}")


def measured(arguments, environment):
    """Seconds, and seconds of CPU, of a process."""
    start = time.perf_counter()
    process = subprocess.Popen(arguments, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{arguments[0]} ended with {process.returncode}")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime


def cpu(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def faults(latency):
    """Has the development server wait, or not any more."""
    request = urllib.request.Request(
        f"{ENDPOINT}/_faults", data=latency and f"latency={latency}".encode(), method="PUT" if latency else "DELETE")
    urllib.request.urlopen(request).close()


def s3file_moves(bucket, concurrency, objects):
    """Enqueues what lies in the bucket, and runs a worker on it."""
    import psycopg

    etag = f'"{hashlib.md5(BODY).hexdigest()}"'
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as database:
        database.execute("truncate s3file.upload, s3file.job, s3file.event, s3file.tmp_deletion, s3file.worker")
        database.execute("select s3file.set_queue('default', paused => true)")
        for first in range(0, objects, 1000):
            some = range(first, min(objects, first + 1000))
            same = lambda value: [value] * len(some)
            database.execute(
                "select count(*) from s3file.enqueue_many(%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                (same(bucket), [f"{SOURCE}/{n:06d}" for n in some], same(etag), same(len(BODY)),
                 [f"{DESTINATION}/{n:06d}" for n in some], same("image/jpeg"), same("photo.jpg"), same("photo"), same("u")))
        for table in ("upload", "job"):
            database.execute(f"vacuum analyze s3file.{table}")

        worker = subprocess.Popen(
            [os.environ["S3FILE"], "worker"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "S3FILE_BUCKET": bucket, "S3FILE_WORKER_CONCURRENCY": str(concurrency),
                 "S3FILE_SECRET": "a secret of this benchmark, which signs nothing"})
        latency = os.environ.get("LATENCY")
        try:
            while not database.execute("select exists (select from s3file.worker)").fetchone()[0]:
                if worker.poll() is not None:
                    raise SystemExit("the worker ended")
                time.sleep(0.05)
            time.sleep(1)  # It listens, and is idle.
            if latency:
                faults(latency)
            used, start = cpu(worker), time.time()
            database.execute("select s3file.set_queue('default', paused => false)")
            database.execute("notify s3file_upload")
            # Asked for seldom, and from an index, so that the asking costs the worker nothing.
            while database.execute(
                    "select exists (select from s3file.job) or exists (select from s3file.tmp_deletion)").fetchone()[0]:
                if worker.poll() is not None:
                    raise SystemExit("the worker ended")
                time.sleep(0.05)
            settled = database.execute("select extract(epoch from max(at)) from s3file.event where states[1] = 2").fetchone()[0]
            measurement = float(settled) - start, time.time() - start, cpu(worker) - used
        finally:
            worker.terminate()
            worker.wait()
            if latency:
                faults(None)
        stored = database.execute("select count(*) from s3file.upload_status where status = 'stored'").fetchone()[0]
        if stored != objects:
            raise SystemExit(f"{objects - stored} uploads were not stored")
        return measurement


def main():
    mover, concurrency = sys.argv[1], int(sys.argv[2])
    if mover == "boto3-alone":
        return move_with_boto3(sys.argv[3], concurrency)
    objects = int(sys.argv[3])
    bucket = f"bench-{os.urandom(6).hex()}"
    client = s3(16)
    client.create_bucket(Bucket=bucket)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(objects):
            pathlib.Path(folder, f"{number:06d}").write_bytes(BODY)
        subprocess.run(["s5cmd", "--endpoint-url", ENDPOINT, "--log", "error", "cp", f"{folder}/*", f"s3://{bucket}/{SOURCE}/"],
                       check=True)
    with tempfile.TemporaryDirectory() as folder:
        if mover == "s3file":
            moved, elapsed, cpu_time = s3file_moves(bucket, concurrency, objects)
        else:
            elapsed, cpu_time = measured(*command(mover, bucket, concurrency, folder))
            moved = elapsed
    count = lambda prefix: sum(page["KeyCount"] for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix))
    if count(SOURCE) or count(DESTINATION) != objects:
        raise SystemExit(f"{mover} left {count(SOURCE)} and moved {count(DESTINATION)} of {objects}")
    print(f"moves/s\t{objects / moved}")
    print(f"moves and deletions/s\t{objects / elapsed}")
    print(f"client CPU ms\t{cpu_time / objects * 1e3}")


main()
