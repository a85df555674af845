"""``augment`` with the fake models, for tests that need a process of their own: python fake_augment.py --input ..."""

import sys
from functools import partial

from singanimation.flows import interrupts


def run() -> int:
    from singanimation.flows import cli
    from singanimation.flows.commands import augment as main_job

    main_job.run_main_job = partial(main_job.run_main_job, loader="fake_models:load")
    return cli.run()


if __name__ == "__main__":
    interrupts.install()
    sys.exit(interrupts.run(run))
