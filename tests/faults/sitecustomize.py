"""Makes processes of gfr misbehave at named points; Python imports it when it is on PYTHONPATH.

In: `GFR_FAULTS`, a JSON list of {"at": POINT, "do": ACTION, "once": FILE}. A point is
`progress:STEP`, which the child of that step reaches when it reports that it is part of the way
through, or `rename:FOLDER/NAME`, between writing a file and giving it its name; both may hold
wildcards. With `once` a point is passed once only, whatever process comes there, and leaves FILE.
"""

import fnmatch
import json
import logging
import os
import signal
import sys
import time
from pathlib import Path

FAULTS = json.loads(os.environ.get("GFR_FAULTS", "[]"))
IS_CHILD = "gfr.pipeline.worker" in sys.orig_argv
RUN = os.getppid() if IS_CHILD else os.getpid()  # the process that the user started


def allocate():
    """Really take memory until somebody objects."""
    kept = []
    while True:
        kept.append(bytearray(os.urandom(2**20) * 50))
        time.sleep(0.01)


def fail():
    """An exception like any other."""
    raise RuntimeError("made to fail")


ACTIONS = {
    "abort": os.abort,
    "segfault": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "hang": lambda: time.sleep(3600),
    "allocate": allocate,
    "raise": fail,
    "kill group": lambda: os.killpg(0, signal.SIGKILL),
    "terminate": lambda: (os.kill(RUN, signal.SIGTERM), time.sleep(3600)),
}


def reach(point):
    """Do what the faults say about this point."""
    for fault in FAULTS:
        if fnmatch.fnmatchcase(point, fault["at"]):
            if "once" in fault:
                try:
                    os.close(os.open(fault["once"], os.O_CREAT | os.O_EXCL))
                except FileExistsError:
                    continue
            ACTIONS[fault["do"]]()


class Progress(logging.Handler):
    """Points in the middle of a step."""

    def emit(self, record):
        """Called in the process of the step."""
        if record.done < record.total:
            reach(f"progress:{record.step}")


def audit(event, arguments):
    """Points between a file's temporary name and its own."""
    if event == "os.rename":
        path = Path(os.fsdecode(arguments[1]))
        reach(f"rename:{path.parent.name}/{path.name}")


if FAULTS:
    sys.addaudithook(audit)
    if IS_CHILD:
        logging.getLogger("gfr.progress").addHandler(Progress())
