"""`gfr` in a process that stays: each command costs no imports, some ten seconds of CPU a run.

For tests that ask what a command does. How one starts, is interrupted or dies is asked of real
processes.
"""

import functools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

# Requests in, exit codes out; descriptors 1 and 2 are a command's own files while it runs.
_LOOP = """
import json, os, sys
from cli import prefect_settings
prefect_settings.set_environment()
import flows.benchmark
from cli.main import main
answers = os.fdopen(os.dup(1), "w", buffering=1)
for line in sys.stdin:
    folder, words, said = json.loads(line)
    os.chdir(folder)
    for descriptor, name in zip((1, 2), said):
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, descriptor)
        os.close(file)
    sys.argv = ["gfr", *words]
    try:
        main()
    except SystemExit as end:
        code = end.code
    sys.stderr.flush()
    print(code, file=answers)
"""


@functools.cache
def _process(server):
    """Started with the environment of the first command; ends when pytest does."""
    return subprocess.Popen(
        [sys.executable, "-c", _LOOP],
        env=server and server.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def gfr(folder, *words, server=None):
    """A command in `folder` to its end; with a `processes.Server`, in one process for each."""
    process = _process(server)
    with tempfile.TemporaryDirectory() as said:
        files = [Path(said, name) for name in ("stdout", "stderr")]
        request = [str(folder), list(map(str, words)), list(map(str, files))]
        print(json.dumps(request), file=process.stdin, flush=True)
        code = int(process.stdout.readline())
        return subprocess.CompletedProcess(
            ["gfr", *words], code, *(path.read_text() for path in files)
        )
