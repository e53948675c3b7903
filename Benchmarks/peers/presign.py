"""Forms that boto3 signs, one after the other, on one core: presign.py SECONDS"""
import sys
import time

import boto3

client = boto3.client("s3", region_name="us-east-1", endpoint_url="http://127.0.0.1:9", aws_access_key_id="benchmark",
                      aws_secret_access_key="benchmark")
seconds, count = float(sys.argv[1]), 0
start = time.perf_counter()
while time.perf_counter() - start < seconds:
    client.generate_presigned_post(
        "media", "tmp/s3file/AbCdEfGhIjKlMnOp/${filename}", Fields={"success_action_status": "201"},
        Conditions=[{"success_action_status": "201"}, ["starts-with", "$Content-Type", "image/"],
                    ["content-length-range", 0, 10_000_000]],
        ExpiresIn=3600)
    count += 1
print(f"forms/s\t{count / (time.perf_counter() - start)}")
