"""The same work in Python's asyncio: rival_asyncio.py sleeps|sleep0|gather|as_completed COUNT.

Prints the seconds it took; for `sleeps` by how many seconds the last one was late.
"""

import asyncio
import sys
import time


async def give(n):
    return n


async def sleeps(count):
    start = time.monotonic()
    last = start + max(n * 7919 % 5000 for n in range(min(count, 5000))) / 1000
    await asyncio.gather(*(asyncio.sleep(n * 7919 % 5000 / 1000) for n in range(count)))
    return time.monotonic() - last


async def sleep0(count):
    start = time.monotonic()
    await asyncio.gather(*(asyncio.sleep(0) for _ in range(count)))
    return time.monotonic() - start


async def gather(count):
    start = time.monotonic()
    await asyncio.gather(*(give(n) for n in range(count)))
    return time.monotonic() - start


async def as_completed(count):
    start = time.monotonic()
    for next_one in asyncio.as_completed([give(n) for n in range(count)]):
        await next_one
    return time.monotonic() - start


WORK = {"sleeps": sleeps, "sleep0": sleep0, "gather": gather, "as_completed": as_completed}
print(asyncio.run(WORK[sys.argv[1]](int(sys.argv[2]))))
