"""``augment serve`` with the fake models: python fake_serve.py SETTINGS_AS_JSON SECONDS [COMMAND ON FAILURE]."""

import json
import sys
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from singanimation.flows import interrupts


def run() -> int:
    from singanimation.flows.commands.serve import serve_job
    from singanimation.flows.serving.process import ServedJob
    from singanimation.flows.serving.schedule import Every
    from singanimation.pipeline.settings import make_settings

    interrupts.begin()
    job = ServedJob(make_settings(**json.loads(sys.argv[1])), "fake_models:load")
    schedule = Every(float(sys.argv[2]), datetime.now(UTC), ZoneInfo("Europe/Berlin"))
    serve_job(job, schedule, on_failure=sys.argv[3] if len(sys.argv) > 3 else None)
    return 0


if __name__ == "__main__":
    interrupts.install()
    sys.exit(interrupts.run(run))
