"""Uploads one object in parts, has a worker move it, and prints MB/s and the most memory that server and worker took.

usage: large.py GIGABYTES SERVER-PID, at the store of the environment
"""
import hashlib
import os
import pathlib
import subprocess
import sys
import time

import boto3
import psycopg
from boto3.s3.transfer import TransferConfig

size, server = int(float(sys.argv[1]) * 1e9), int(sys.argv[2])
PART = 64 << 20


class Bytes:
    """Random ones, and yet the same each time: a block, turned by its place, so that no two parts are alike."""

    block = os.urandom(1 << 20)

    def __init__(self):
        self.place = 0

    def read(self, count=-1):
        pieces = []
        count = size - self.place if count < 0 else min(count, size - self.place)
        while count:
            piece = hashlib.sha256(self.block + (self.place >> 20).to_bytes(8)).digest() + self.block[32:]
            piece = piece[self.place & 0xFFFFF:][:count]
            pieces.append(piece)
            self.place += len(piece)
            count -= len(piece)
        return b"".join(pieces)


def peak(process):
    """The most resident memory since the last time, in MiB."""
    status = pathlib.Path(f"/proc/{process}/status").read_text()
    most = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024
    pathlib.Path(f"/proc/{process}/clear_refs").write_text("5")
    return most


bucket, key = f"bench-{os.urandom(6).hex()}", "tmp/s3file/f/large"
client = boto3.client("s3")
client.create_bucket(Bucket=bucket)
before = peak(server)
start = time.perf_counter()
client.upload_fileobj(Bytes(), bucket, key, Config=TransferConfig(multipart_chunksize=PART, max_concurrency=4))
uploaded = time.perf_counter() - start
serving = peak(server)
head = client.head_object(Bucket=bucket, Key=key)
assert head["ContentLength"] == size, head

with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as database:
    database.execute(
        "select s3file.enqueue(%s, %s, etag => %s, size => %s, key => 'moved/large', content_type => 'video/mp4')",
        (bucket, key, head["ETag"], size))
    worker = subprocess.Popen(
        [os.environ["S3FILE"], "worker"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "S3FILE_BUCKET": bucket, "S3FILE_SECRET": "a secret of this benchmark, which signs nothing"})
    try:
        start = time.perf_counter()
        while (status := database.execute("select status from s3file.upload_status").fetchone()[0]) in ("queued", "moving"):
            if worker.poll() is not None:
                raise SystemExit("the worker ended")
            time.sleep(0.1)
        moved = time.perf_counter() - start
        if status != "stored":
            raise SystemExit(f"it is {status}")
        working, copying = peak(worker.pid), peak(server)
    finally:
        worker.terminate()
        worker.wait()

# What is stored is what was sent.
expected, stored = hashlib.sha256(), hashlib.sha256()
source = Bytes()
for piece in client.get_object(Bucket=bucket, Key="moved/large")["Body"].iter_chunks(8 << 20):
    stored.update(piece)
    expected.update(source.read(len(piece)))
if stored.digest() != expected.digest() or source.place != size:
    raise SystemExit("other bytes are stored than were sent")
print(f"upload MB/s\t{size / uploaded / 1e6}")
print(f"move MB/s\t{size / moved / 1e6}")
print(f"server MiB at rest\t{before}")
print(f"server MiB at the upload\t{serving}")
print(f"server MiB at the move\t{copying}")
print(f"worker MiB\t{working}")
client.delete_object(Bucket=bucket, Key="moved/large")
