#!/bin/sh
# Guess: a process that has run a Prefect flow may fork children (multiprocessing, a PyTorch DataLoader's workers) as before.
# Happens: from the first flow on, a forked child whose work is done ends with exit code 1 and prints nothing: Prefect
#          resets its queue services in the child, and the function registered for the interpreter's end asserts what
#          the reset took away. PyTorch may then say of a worker that it "exited unexpectedly".
# Seen:    prefect 3.8.8: a forked child's exit code 0 before a flow, 1 after it
# Versions: prefect 3.8.8, fastapi 0.150.0, Python 3.11.7, Linux. Date: 2026-11-27.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "prefect==3.8.8" "fastapi==0.150.0"
cat > "$folder/program.py" <<'PYTHON'
import multiprocessing
import sys

import prefect


@prefect.task
def one():
    return 1


@prefect.flow
def day():
    return one()


def child():
    process = multiprocessing.get_context("fork").Process(target=int)
    process.start()
    process.join()
    return process.exitcode


if __name__ == "__main__":
    before = child()
    day()
    after = child()
    print(f"prefect {prefect.__version__}: a forked child's exit code {before} before a flow, {after} after it")
    sys.exit(0 if (before, after) == (0, 1) else 1)
PYTHON
export PREFECT_HOME="$folder/home" PREFECT_LOGGING_LEVEL=CRITICAL PREFECT_SERVER_ANALYTICS_ENABLED=false
export PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS=120
"$folder/venv/bin/python" "$folder/program.py"
