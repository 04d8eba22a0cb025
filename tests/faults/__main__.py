"""The scripted server as a process: ``python -m tests.faults --pods 10000 --rate 200``.

Prints its port, then obeys commands (``tests.faults.control``) from its standard input, one a line, each answered by a
line, until that ends.
"""

import argparse
import asyncio
import json
import logging
import os
import sys

from tests.faults.control import Control
from tests.faults.load import POD_BYTES, Load
from tests.faults.server import FaultServer


async def serve(load: Load) -> None:
    """Serve until standard input ends."""
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # a client that left is no news here
    async with FaultServer(collection="", content=load, clock_offset_seconds=load.clock_offset_seconds) as server:
        changing = asyncio.create_task(load.run())
        control = Control(server, load)
        print(server.port, flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            try:
                answer = await control.obey(json.loads(line))
            except (ValueError, KeyError, TypeError) as error:
                answer = {"error": str(error)}
            print(json.dumps(answer), flush=True)
        changing.cancel()
        os._exit(0)  # streams that nobody reads any more need no farewell


def main() -> None:
    """Read the arguments, and serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--pods", type=int, default=100)
    parser.add_argument("--rate", type=float, default=0.0, help="changes a second")
    parser.add_argument("--clock", type=float, default=0.0, help="seconds that its clock is off")
    parser.add_argument("--pod-bytes", type=int, default=POD_BYTES)
    arguments = parser.parse_args()
    asyncio.run(serve(Load(arguments.pods, arguments.rate, arguments.clock, arguments.pod_bytes)))


if __name__ == "__main__":
    main()
