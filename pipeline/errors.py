"""One tree for every error that a user can meet, and the exit codes they lead to.

Every message is one sentence or two: what was wrong, where, and what to do about it.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """What ``augment`` returns to the shell."""

    DONE = 0
    NOTHING_ACCEPTED = 1
    USAGE = 2
    PARTLY_DONE = 3
    INTERRUPTED = 130


class SinganimationError(Exception):
    """Anything this program raises on purpose; ``exit_code`` is what the command line ends with."""

    exit_code: ExitCode = ExitCode.NOTHING_ACCEPTED


class UsageError(SinganimationError):
    """A wrong option, input or file: nothing was started."""

    exit_code = ExitCode.USAGE


class DatasetError(UsageError):
    """The input is missing, empty, or has no layout that we recognise."""


class WeightsError(UsageError):
    """A weights file is missing, damaged, or not what its place asks for."""


class OutputError(UsageError):
    """The output folder cannot be used (not writable, or held by another run)."""


class OutputHeldError(OutputError):
    """Another run holds the output folder: nothing is wrong with it, and later it will be free."""


class ManifestError(UsageError):
    """A manifest cannot be read as one of ours."""


class TrainingError(SinganimationError):
    """A training went wrong in a way that more steps would not mend (NaN, saturated attention)."""


class PictureError(SinganimationError):
    """One picture cannot be used. ``reason`` is the manifest's short code for it."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class MachineError(SinganimationError):
    """A fault of the machine or the disk while working on one source (disk full, out of memory)."""

    exit_code = ExitCode.PARTLY_DONE
