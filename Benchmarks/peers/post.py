"""Posts forms, each once, and prints requests/s and times: post.py URL FILE CLIENTS

FILE has a urlencoded body a line. Each client is a thread with a connection of its own; what it sends was made before the clock starts.
"""
import socket
import statistics
import sys
import threading
import time
import urllib.parse

url, file, clients = urllib.parse.urlsplit(sys.argv[1]), sys.argv[2], int(sys.argv[3])
requests = [
    f"POST {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
    for body in open(file).read().splitlines()
]
requests.reverse()
times, failures = [], []


def answer(connection):
    """The status of one answer, which is read to its end."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError(f"closed after {data[:200]}")
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), 0)
    # Answers here are short, so that only the end of one in chunks has to be seen.
    chunked = any(line.startswith(b"transfer-encoding:") for line in lines)
    while len(body) < length or (chunked and not body.endswith(b"0\r\n\r\n")):
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError("closed within an answer")
        body += piece
    return int(lines[0].split()[1]), b"connection: close" in lines, body


def client():
    connection = None
    try:
        while True:
            try:
                request = requests.pop()
            except IndexError:
                return
            start = time.perf_counter()
            if connection is None:
                connection = socket.create_connection((url.hostname, url.port))
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(request)
            status, closes, body = answer(connection)
            times.append(time.perf_counter() - start)
            if status not in (200, 302, 303):
                failures.append(f"{status} {body[:300]}")
                return
            if closes:
                connection.close()
                connection = None
    except Exception as error:
        failures.append(repr(error))


threads = [threading.Thread(target=client) for _ in range(clients)]
start = time.perf_counter()
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
seconds = time.perf_counter() - start
if failures:
    sys.exit(f"{len(failures)} clients failed, the first by {failures[0]}")
print(f"requests/s\t{len(times) / seconds}")
print(f"ms p50\t{statistics.median(times) * 1000}")
print(f"ms p95\t{statistics.quantiles(times, n=20)[18] * 1000}")
