"""From `selfheal-sandbox up` to /readyz 200 and three nodes Ready, certificate included."""

import json
import ssl
import statistics
import subprocess
import sys
import sysconfig
import time
import urllib.request
from pathlib import Path

import yaml

from benchmarks.report import Result, report

RUNS = 5
SANDBOX = str(Path(sysconfig.get_path("scripts")) / "selfheal-sandbox")
NAME = "benchmark-start"
GIVE_UP_SECONDS = 20.0


def ready(kubeconfig: Path) -> bool:
    """Whether the API says that it is ready, and three nodes say so too."""
    user = yaml.safe_load(kubeconfig.read_text())
    server = user["clusters"][0]["cluster"]["server"]
    headers = {"authorization": f"Bearer {user['users'][0]['user']['token']}"}
    trusting = ssl._create_unverified_context()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusting))

    def get(path: str) -> bytes:
        request = urllib.request.Request(server + path, headers=headers)
        with opener.open(request, timeout=2) as answer:
            body: bytes = answer.read()
        return body

    if get("/readyz").strip() != b"ok":
        return False
    nodes = json.loads(get("/api/v1/nodes"))["items"]
    conditions = [condition for node in nodes for condition in node["status"]["conditions"]]
    return [one["status"] for one in conditions if one["type"] == "Ready"] == ["True"] * 3


def start_once() -> float:
    """Start, wait until ready, stop; gives the seconds from the command to ready."""
    started = time.perf_counter()
    subprocess.run([SANDBOX, "up", "--detach", "--name", NAME], stdout=subprocess.DEVNULL, check=True)
    try:
        where = subprocess.run([SANDBOX, "kubeconfig", "--name", NAME], capture_output=True, text=True, check=True)
        while not ready(Path(where.stdout.strip())):
            if time.perf_counter() - started > GIVE_UP_SECONDS:
                raise TimeoutError(f"not ready within {GIVE_UP_SECONDS} s")
            time.sleep(0.01)
        return time.perf_counter() - started
    finally:
        subprocess.run([SANDBOX, "down", "--name", NAME, "--forget"], stdout=subprocess.DEVNULL, check=True)


def main() -> None:
    """Measure warm starts."""
    start_once()
    seconds = [start_once() for _ in range(RUNS)]
    results = [
        Result("median of 5 warm starts", statistics.median(seconds), "s", target=1.0),
        Result("slowest of 5 warm starts", max(seconds), "s"),
    ]
    report("sandbox_start", results)
    sys.exit(not all(result.met for result in results))


if __name__ == "__main__":
    main()
