"""Allocates much, in as many threads as the first argument says, and prints what it computed.

Python itself runs one thread at a time, but zlib works outside its lock: its memory comes and goes
in all threads at once.
"""

import json
import sys
import threading
import zlib

ROUNDS = 100000


def work(seed):
    """Fills and thins out a table, packs and unpacks it, and returns a checksum."""
    table = {}
    number = seed
    for _ in range(ROUNDS):
        number = number * 16807 % 2147483647
        values = table.setdefault(f"key {number % 4000}", [])
        values.append("v" * (number % 300))
        if len(values) > 5:
            del table[f"key {number % 4000}"]
    text = json.dumps(table).encode()
    for begin in range(0, len(text), 20000):
        part = text[begin:begin + 20000]
        if zlib.decompress(zlib.compress(part)) != part:
            sys.exit("zlib returned other bytes")
    return zlib.crc32(text)


def main():
    """Runs the threads and prints their checksums in order."""
    count = int(sys.argv[1])
    sums = [0] * count

    def run(index):
        sums[index] = work(index + 1)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(*sums)


main()
