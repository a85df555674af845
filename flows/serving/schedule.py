"""When runs are due: cron lines and intervals, in a time zone, on the days of the clock change too.

Prefect 3.8.8 and plain croniter run ``30 2 * * *`` at 01:30 on the day without a 02:30, take six and seven fields
for cron lines, and accept lines that are never due. cronsim follows Debian's cron; what it does otherwise than a
person expects (steps within named hours) is put into its words by ``_in_local_hours``.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from singanimation.pipeline.errors import UsageError

_FIELDS = 5
_EXAMPLE = 'give five fields (minute, hour, day of the month, month, day of the week), such as "0 2 * * *"'


class Schedule(Protocol):
    """When runs are due."""

    @property
    def zone(self) -> ZoneInfo:
        """Return the zone that moments are shown in."""
        ...

    def next_after(self, moment: datetime) -> datetime:
        """Return the first due moment after an aware ``moment``, in ``zone``."""
        ...

    def describe(self) -> str:
        """Return the schedule in words."""
        ...


@dataclass(frozen=True)
class Cron:
    """A five-field cron line. Make it with ``read_cron``.

    A line that names its hours is due once for each: on the day when the hour does not exist at the first moment
    after the gap, on the day when it comes twice at the first of the two. A line for every hour goes by real time.
    """

    line: str
    zone: ZoneInfo

    def next_after(self, moment: datetime) -> datetime:
        for due in CronSim(_in_local_hours(self.line), moment.astimezone(self.zone)):
            if due.astimezone(UTC) > moment:  # of two equal wall times cronsim begins with the first, which may be past
                return due
        raise UsageError(_never(self.line))

    def describe(self) -> str:
        return f'cron "{self.line}" {self.zone.key}'


@dataclass(frozen=True)
class Every:
    """Due every so many ``seconds`` since ``start`` (aware), whatever the clocks on the wall do."""

    seconds: float
    start: datetime
    zone: ZoneInfo

    def next_after(self, moment: datetime) -> datetime:
        passed = (moment - self.start).total_seconds()
        due = self.start + timedelta(seconds=(max(passed, 0) // self.seconds + 1) * self.seconds)
        return due.astimezone(self.zone)

    def describe(self) -> str:
        return f"every {self.seconds:g} s"


def read_cron(line: str, zone: ZoneInfo) -> Cron:
    """Read a cron line. Raises UsageError for what is none, and for one that is never due."""
    words = line.split()
    if len(words) != _FIELDS:
        raise UsageError(f"--cron {line!r} has {len(words)} fields; {_EXAMPLE}.")
    try:
        first = next(CronSim(_in_local_hours(line), datetime(2000, 1, 1, tzinfo=UTC)), None)
    except CronSimError as error:
        if _days_of_no_month(words):
            raise UsageError(_never(line)) from None
        raise UsageError(f"--cron {line!r} is no cron line ({str(error).lower()}): {_EXAMPLE}.") from None
    if first is None:
        raise UsageError(_never(line))
    return Cron(" ".join(words), zone)


def read_zone(name: str | None) -> ZoneInfo:
    """Return the time zone of that name, for None the machine's own. Raises UsageError."""
    if name is None:
        import tzlocal

        try:
            name = tzlocal.get_localzone_name()
        except (ZoneInfoNotFoundError, ValueError, OSError):
            name = None
        if not name:
            raise UsageError("The machine's time zone has no name; say --timezone, such as Europe/Berlin.")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(f"--timezone {name!r} is no time zone; give a name such as Europe/Berlin, or UTC.") from None


def count_due(schedule: Schedule, after: datetime, until: datetime, most: int = 1000) -> int:
    """Return how many runs were due after ``after`` and up to ``until`` (at most ``most``)."""
    count = 0
    while count < most and (after := schedule.next_after(after).astimezone(UTC)) <= until:
        count += 1
    return count


def _in_local_hours(line: str) -> str:
    """Return the line so that cronsim takes all but ``* `` in the hour for wall-clock times, each due once."""
    minute, hour, *rest = line.split()
    if hour not in ("*", "*/1"):
        minute, hour = _spelled(minute, 59), _spelled(hour, 23)
    return " ".join([minute, hour, *rest])


def _spelled(field: str, last: int) -> str:
    return f"0-{last}{field[1:]}" if field.startswith("*") else field


def _days_of_no_month(words: list[str]) -> bool:
    """Say whether only the days stand in the way: the line reads well with a day that every month has."""
    try:
        CronSim(" ".join([*words[:2], "1", *words[3:]]), datetime(2000, 1, 1, tzinfo=UTC))
        CronSim(" ".join([*words[:3], "*", *words[4:]]), datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError:
        return False
    return True


def _never(line: str) -> str:
    return f"--cron {line!r} is never due: no such month has such a day."
