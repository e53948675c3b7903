"""Uploads a file by curl and prints MB/s: upload.py form|put FILE STREAMS, at the store of the environment.

form: as a browser posts it, with a policy that boto3 signed. put: signed by curl. Each stream is a process of curl with the whole file.
"""
import os
import subprocess
import sys
import time

import boto3
from botocore.config import Config

way, file, streams = sys.argv[1], sys.argv[2], int(sys.argv[3])
endpoint, size = os.environ["AWS_ENDPOINT_URL_S3"], os.path.getsize(file)
# Told so, for it signs forms in the old way otherwise.
client = boto3.client("s3", config=Config(signature_version="s3v4"))
bucket = f"bench-{os.urandom(6).hex()}"
client.create_bucket(Bucket=bucket)


def command(number):
    start = ["curl", "-sS", "-f", "-o", os.devnull]
    if way == "put":
        return [*start, "--aws-sigv4", "aws:amz:us-east-1:s3", "--user",
                f"{os.environ['AWS_ACCESS_KEY_ID']}:{os.environ['AWS_SECRET_ACCESS_KEY']}", "-H",
                "x-amz-content-sha256: UNSIGNED-PAYLOAD", "-T", file, f"{endpoint}/{bucket}/{number}"]
    post = client.generate_presigned_post(
        bucket, f"tmp/{number}", Fields={"Content-Type": "video/mp4"},
        Conditions=[{"Content-Type": "video/mp4"}, ["content-length-range", 0, size]])
    fields = [argument for name, value in post["fields"].items() for argument in ("-F", f"{name}={value}")]
    # The client has the bucket's name in the host on some endpoints; the stores here go by the path.
    return [*start, *fields, "-F", f"file=@{file};type=video/mp4", f"{endpoint}/{bucket}"]


commands = [command(number) for number in range(streams)]
start = time.perf_counter()
processes = [subprocess.Popen(arguments) for arguments in commands]
codes = [process.wait() for process in processes]
elapsed = time.perf_counter() - start
if any(codes):
    raise SystemExit(f"curl ended with {codes}")
for entry in client.list_objects_v2(Bucket=bucket)["Contents"]:
    if entry["Size"] != size:
        raise SystemExit(f"{entry['Key']} has {entry['Size']} bytes")
    client.delete_object(Bucket=bucket, Key=entry["Key"])
client.delete_bucket(Bucket=bucket)
print(f"MB/s\t{size * streams / elapsed / 1e6}")
