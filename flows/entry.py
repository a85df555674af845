"""What ``augment`` starts: answers Ctrl-C and SIGTERM before anything large is imported, then is the command line."""

import sys

from singanimation.flows import interrupts


def main() -> None:
    """Run the command line."""
    interrupts.install()
    sys.exit(interrupts.run(_run))


def _run() -> int:
    from singanimation.flows.cli import run

    return run()


if __name__ == "__main__":
    main()
