"""`yizhan` for a shell, forked by a process that has imported what it needs (`tests.preloaded`).

`python -SE tests/launched.py ADDRESS ARGUMENTS` asks the process at that abstract socket, passes
its own standard streams and signals on, and ends with the command's exit code. It imports little,
since it is there to start fast.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys


def main() -> int:
    address, *arguments = sys.argv[1:]
    ours, theirs = socket.socketpair()
    with socket.socket(socket.AF_UNIX) as channel, theirs:
        channel.connect(f"\0{address}")
        socket.send_fds(channel, [b"1"], [theirs.fileno(), 0, 1, 2])
    request = {
        "arguments": arguments,
        "directory": os.getcwd(),  # noqa: PTH109 - pathlib takes longer than the rest
        "environ": dict(os.environ),
        "unbuffered": "PYTHONUNBUFFERED" in os.environ,
        "descriptors": [],
        "parent": 0,
    }
    ours.sendall(json.dumps(request).encode() + b"\n")
    with ours.makefile("rb") as replies:
        process = int(replies.readline())
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, _: os.kill(process, number))
        return int(replies.readline())


if __name__ == "__main__":
    sys.exit(main())
