"""When runs are due: with fixed clocks, on ordinary days and on those of the clock change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from singanimation.flows.serving.schedule import Every, count_due, read_cron, read_zone
from singanimation.pipeline.errors import UsageError

BERLIN = ZoneInfo("Europe/Berlin")


def due_after(line: str, moment: datetime, count: int, zone: ZoneInfo = BERLIN) -> list[str]:
    schedule, found = read_cron(line, zone), []
    for _ in range(count):
        moment = schedule.next_after(moment)
        assert moment.tzinfo is zone
        found.append(f"{moment:%d.%m. %H:%M %z}")
        moment = moment.astimezone(UTC)
    return found


def test_an_ordinary_night_is_in_the_zones_own_hours():
    evening = datetime(2026, 11, 27, 20, 0, tzinfo=UTC)
    assert due_after("0 2 * * *", evening, 2) == ["28.11. 02:00 +0100", "29.11. 02:00 +0100"]
    assert due_after("0 2 * * *", evening, 1, ZoneInfo("America/New_York")) == ["28.11. 02:00 -0500"]
    assert due_after("0 2 * * MON", evening, 1) == ["30.11. 02:00 +0100"]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("30 2 * * *", ["29.03. 03:00 +0200", "30.03. 02:30 +0200"]),
        ("*/30 2 * * *", ["29.03. 03:00 +0200", "30.03. 02:00 +0200"]),
        ("0 2,3 * * *", ["29.03. 03:00 +0200", "30.03. 02:00 +0200"]),
        ("0 */2 * * *", ["29.03. 03:00 +0200", "29.03. 04:00 +0200"]),
        ("*/30 * * * *", ["29.03. 01:00 +0100", "29.03. 01:30 +0100", "29.03. 03:00 +0200"]),
    ],
)
def test_an_hour_that_does_not_exist_is_due_once_at_the_first_moment_after(line, found):
    assert due_after(line, datetime(2026, 3, 28, 23, 30, tzinfo=UTC), len(found)) == found


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("30 2 * * *", ["25.10. 02:30 +0200", "26.10. 02:30 +0100"]),
        ("*/30 2 * * *", ["25.10. 02:00 +0200", "25.10. 02:30 +0200", "26.10. 02:00 +0100"]),
        ("0 */2 * * *", ["25.10. 02:00 +0200", "25.10. 04:00 +0100"]),
        ("30 * * * *", ["25.10. 00:30 +0200", "25.10. 01:30 +0200", "25.10. 02:30 +0200", "25.10. 02:30 +0100"]),
    ],
)
def test_an_hour_that_comes_twice_is_due_once_at_the_first(line, found):
    assert due_after(line, datetime(2026, 10, 24, 22, 5, tzinfo=UTC), len(found)) == found


def test_within_the_second_of_two_equal_hours_nothing_past_is_due():
    second = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)  # 02:10 for the second time
    assert due_after("30 2 * * *", second, 1) == ["26.10. 02:30 +0100"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("0 0 2 * * *", "6 fields"),
        ("0 0 2 * * * 2030", "7 fields"),
        ("@daily", "1 fields"),
        ("", "0 fields"),
        ("61 2 * * *", "bad minute"),
        ("0 2 32 * *", "bad day-of-month"),
        ("every day at two am", "bad minute"),
        ("0 2 31 2 *", "never due"),
        ("0 2 30 FEB *", "never due"),
        ("0 2 31 4,6,9,11 *", "never due"),
    ],
)
def test_lines_that_are_none_or_never_due_are_refused(line, words):
    with pytest.raises(UsageError, match=words):
        read_cron(line, BERLIN)


def test_the_29th_of_february_is_due():
    assert due_after("0 2 29 2 *", datetime(2026, 1, 1, tzinfo=UTC), 1) == ["29.02. 02:00 +0100"]


def test_intervals_go_by_real_time_since_their_start():
    start = datetime(2026, 3, 29, 0, 0, tzinfo=UTC)
    every = Every(3600, start, BERLIN)
    assert [every.next_after(start + timedelta(minutes=m)) for m in (0, 59, 60, 61)] == [
        start + timedelta(hours=h) for h in (1, 1, 2, 2)
    ]
    assert count_due(every, start, start + timedelta(hours=5)) == 5


def test_the_zone_is_the_machines_own_or_the_one_that_is_named(monkeypatch):
    import tzlocal

    monkeypatch.setattr(tzlocal, "get_localzone_name", lambda: "Asia/Tokyo")
    assert read_zone(None).key == "Asia/Tokyo" and read_zone("Europe/Berlin") == BERLIN
    for name in ("Berlin", "../etc/passwd", ""):
        with pytest.raises(UsageError, match="--timezone"):
            read_zone(name)
    monkeypatch.setattr(tzlocal, "get_localzone_name", lambda: None)
    with pytest.raises(UsageError, match="--timezone"):
        read_zone(None)
