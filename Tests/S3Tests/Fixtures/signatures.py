"""Writes signatures.json: what botocore signs, for SigV4BotocoreTests.

    python3 Tests/S3Tests/Fixtures/signatures.py > Tests/S3Tests/Fixtures/signatures.json

Needs botocore (recorded with 1.43.11). Everything is fixed, so that a new recording differs only where botocore does.
"""

import datetime
import hashlib
import json
import urllib.parse

import botocore
import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.utils import percent_encode

NOW = datetime.datetime(2026, 2, 28, 23, 59, 58, tzinfo=datetime.timezone.utc)
botocore.auth.get_current_datetime = lambda remove_tzinfo=True: NOW.replace(tzinfo=None) if remove_tzinfo else NOW

KEYS = [
    "a", "100%.txt", "a%20b.txt", "a&b<c>.txt", "ünï 文.txt", "a+b", "q?x=1#y", "//double//slash", "dot/../dot/./x", "~user-._",
    "space  two", " lead and trail ", "quote\"'`", "back\\slash", "[brackets]{braces}", "semi;colon:comma,", "dollar$at@bang!star*(paren)",
    "caret^pipe|", "emoji 🦊.png", "e\u0301 decomposed", "\u00e9 composed", "tab\tnew\nline", "%", "%%41", "=eq=", "trailing/",
]
QUERIES = [
    [("list-type", "2"), ("prefix", "a b/ü&=+%"), ("max-keys", "5")],
    [("uploads", "")],
    [("b", "2"), ("B", "1"), ("a-b", "x"), ("a", "y"), ("a.b", "z")],
    [("partNumber", "1"), ("uploadId", "2~abc/+=def")],
    [("continuation-token", "1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=")],
]
PLAIN = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", None)
SESSION = ("ASIAEXAMPLE", "secret/with+signs=", "FwoGZXIvYXdzEBYaD/token+with=signs//==")


def case(method, key, query, headers, credentials, region, body=b""):
    path = "/bucket" + ("/" + percent_encode(key, safe="/~") if key is not None else "")
    url = "http://s3.example.test:9000" + path
    access, secret, token = credentials
    signed = AWSRequest(method=method, url=url, data=body, params=dict(query), headers=dict(headers))
    botocore.auth.S3SigV4Auth(Credentials(access, secret, token), "s3", region).add_auth(signed)
    presigned = AWSRequest(method=method, url=url, params=dict(query))
    botocore.auth.S3SigV4QueryAuth(Credentials(access, secret, token), "s3", region, expires=900).add_auth(presigned)
    parameters = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(presigned.url).query, keep_blank_values=True))
    return {
        "method": method, "path": path, "key": key, "query": query, "headers": headers,
        "accessKeyID": access, "secretAccessKey": secret, "sessionToken": token, "region": region,
        "payloadHash": hashlib.sha256(body).hexdigest(),
        "authorization": signed.headers["Authorization"],
        "presignedSignature": parameters["X-Amz-Signature"],
    }


def post(credentials, region, key):
    access, secret, token = credentials
    request = AWSRequest(method="POST", url="http://s3.example.test:9000/bucket")
    request.context["s3-presign-post-fields"] = {"key": key}
    request.context["s3-presign-post-policy"] = {
        "expiration": "2026-03-01T00:59:58Z", "conditions": [{"bucket": "bucket"}, ["starts-with", "$key", key]],
    }
    botocore.auth.S3SigV4PostAuth(Credentials(access, secret, token), "s3", region).add_auth(request)
    fields = request.context["s3-presign-post-fields"]
    return {
        "accessKeyID": access, "secretAccessKey": secret, "sessionToken": token, "region": region,
        "fields": [[name, value] for name, value in sorted(fields.items())],
    }


cases = []
for number, key in enumerate(KEYS):
    credentials = SESSION if number % 3 == 2 else PLAIN
    cases.append(case(["GET", "PUT", "DELETE", "HEAD"][number % 4], key, [], [], credentials, "eu-central-1"))
for number, query in enumerate(QUERIES):
    cases.append(case("GET", None if number < 2 else "k", query, [], SESSION if number % 2 else PLAIN, "us-east-1"))
cases.append(case(
    "PUT", "copy me", [],
    [["x-amz-copy-source", "bucket/ti%20me%2B.txt?versionId=3%2F4"], ["x-amz-metadata-directive", "REPLACE"],
     ["x-amz-meta-s3file-upload", "  two   blanks  "], ["content-type", "text/plain; charset=utf-8"]],
    PLAIN, "us-east-1"))
cases.append(case("PUT", "body", [], [["content-type", "image/png"]], SESSION, "us-east-1", b"some bytes \x00\xff"))

print(json.dumps({
    "botocore": botocore.__version__,
    "date": NOW.strftime("%Y%m%dT%H%M%SZ"),
    "host": "s3.example.test:9000",
    "requests": cases,
    "forms": [post(PLAIN, "us-east-1", "tmp/ünï/${filename}"), post(SESSION, "eu-west-3", "tmp/s3file/x/${filename}")],
}, indent=1, ensure_ascii=False))
