"""Many clients of the event stream: opens one connection an upload, then says how long each `stored` took from its commit to the client.

usage: events.py PORT < uploads, one {id}.{token} a line

Prints "open" when every client has heard how its upload stands; ends when all have heard that theirs is stored, with lines of METRIC, VALUE.
"""
import asyncio
import datetime
import json
import sys
import time

port = int(sys.argv[1])
uploads = [line.strip() for line in sys.stdin if line.strip()]
latencies, backwards = [], 0
opened = 0
all_open = asyncio.Event()
ORDER = {"queued": 0, "moving": 1, "stored": 2}


async def client(upload, turn):
    global opened, backwards
    async with turn:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /s3file/events?upload={upload} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n".encode())
        state = -1
        line = await reader.readline()
        if b" 200 " not in line:
            raise SystemExit(f"not a stream: {line}")
        while not (line := await reader.readline()).startswith(b"data: "):
            pass
        state = ORDER[json.loads(line[6:])["status"]]
        opened += 1
        if opened == len(uploads):
            all_open.set()
    while line := await reader.readline():
        # Beats carry a number.
        if not line.startswith(b"data: {"):
            continue
        now = time.time()
        data = json.loads(line[6:])
        if ORDER[data["status"]] < state:
            backwards += 1
        state = ORDER[data["status"]]
        if data["status"] == "stored":
            stored = datetime.datetime.fromisoformat(data["storedAt"].replace("Z", "+00:00")).timestamp()
            latencies.append((now - stored) * 1e3)
            break
    writer.close()


async def main():
    # Not all of them in the same instant: a listening socket's backlog is short.
    turn = asyncio.Semaphore(64)
    clients = [asyncio.create_task(client(upload, turn)) for upload in uploads]
    waiting = asyncio.create_task(all_open.wait())
    await asyncio.wait([waiting, *clients], return_when=asyncio.FIRST_COMPLETED)
    if not all_open.is_set():
        raise SystemExit("a client ended before all were open")
    print("open", flush=True)
    await asyncio.gather(*clients)
    latencies.sort()
    print(f"told\t{len(latencies)}")
    print(f"backwards\t{backwards}")
    print(f"p50 ms\t{latencies[len(latencies) // 2]}")
    print(f"p99 ms\t{latencies[int(len(latencies) * 0.99)]}")


asyncio.run(main())
