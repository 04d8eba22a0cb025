"""The scripted server of the tests (``tests.faults``) as the source of a benchmark's load.

``python -m benchmarks.scripted_api PODS CHANGES_PER_SECOND`` prints its port and serves until its standard input ends,
obeying commands (``tests.faults.control``) meanwhile.
"""

import asyncio
import sys

from tests.faults.__main__ import serve
from tests.faults.load import NAMESPACE, PODS_PER_APP, Load

__all__ = ["NAMESPACE", "PODS_PER_APP"]

if __name__ == "__main__":
    asyncio.run(serve(Load(int(sys.argv[1]), float(sys.argv[2]))))
