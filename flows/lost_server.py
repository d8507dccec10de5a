"""End a worker's run whose Prefect server has gone.

The results are complete by then, but Prefect's client of events would try to connect for seven
seconds for each event that it still holds. `gfr run` ends by itself (cli/prefect_session.py).
"""

import os
import sys
import threading
import time

import httpx
from prefect.settings import PREFECT_API_URL

_IN_WORKER = "PREFECT__FLOW_RUN_ID"  # set by a worker for the process of a run

_ASK_AFTER_S = 20.0  # Prefect's own last requests are through by then
_TIMEOUT_S = 4.0


def leave_without() -> None:
    """Have this process end soon, if a worker started it and the server does not answer."""
    if os.environ.get(_IN_WORKER) and (url := PREFECT_API_URL.value()):
        threading.Thread(target=_watch, args=[url], daemon=True).start()


def _watch(url: str) -> None:
    while True:
        time.sleep(_ASK_AFTER_S)
        try:
            httpx.get(f"{url}/health", timeout=_TIMEOUT_S)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            line = f"gfr: Prefect's server at {url} has gone; the results are there"
            print(line, file=sys.stderr, flush=True)
            os._exit(1)  # Prefect's exit handlers are what takes the time
        except httpx.HTTPError:
            pass  # a busy server, which accepts connections
