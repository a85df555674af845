#!/bin/sh
# Guess: a program's own answer to SIGTERM stays while it uses Ray, or comes back when Ray is shut down.
# Happens: ray.init() puts a handler of Ray's in its place without a word, and ray.shutdown() leaves it there: the
#          program's own is never called again, and the process ends by the signal instead of with its own exit code.
# Seen:    ray 2.60.0: own handler after init False, after shutdown False; SIGTERM then: return code -15, own would be 7
# Versions: ray 2.60.0, Python 3.11.7. Date: 2026-11-27.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "ray==2.60.0"
cat > "$folder/program.py" <<'PYTHON'
import os
import signal
import time

import ray


def own(number, frame):
    os._exit(7)


signal.signal(signal.SIGTERM, own)
ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
inside = signal.getsignal(signal.SIGTERM) is own
ray.shutdown()
after = signal.getsignal(signal.SIGTERM) is own
print(f"ray {ray.__version__}: own handler after init {inside}, after shutdown {after}", flush=True)
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(5)
PYTHON
RAY_USAGE_STATS_ENABLED=0 "$folder/venv/bin/python" - "$folder/program.py" <<'PYTHON'
import subprocess
import sys

done = subprocess.run([sys.executable, sys.argv[1]], stdout=subprocess.PIPE, text=True)
said = done.stdout.strip()
print(f"{said}; SIGTERM then: return code {done.returncode}, own would be 7")
sys.exit(0 if said.endswith("after init False, after shutdown False") and done.returncode == -15 else 1)
PYTHON
