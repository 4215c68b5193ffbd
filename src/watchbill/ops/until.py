"""Times as people write them and their machine reads them: 18:00, 2h, 2026-12-24T18:00."""

from __future__ import annotations

import datetime
import re

from watchbill.errors import OperationError

FORMS = "write it as 18:00, as 30m or 2h, as 2026-12-24T18:00, or with a zone: 2026-12-24T18:00Z"
LONGEST = datetime.timedelta(days=3660)

_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
_DURATION = re.compile(r"(?=.)(?:([0-9]{1,4})d)?(?:([0-9]{1,4})h)?(?:([0-9]{1,5})m)?(?:([0-9]{1,6})s)?")
_MOMENT = re.compile(
    r"(?:19[7-9]|2[0-9]{2})[0-9]-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})?"
)


def parse_until(text: str, now: datetime.datetime) -> datetime.datetime:
    """Return the end that `text` means, in UTC and whole seconds.

    `now` has a zone. Times without one are those of this machine's clock, ``18:00`` the next one; of a time that occurs
    twice, the second is meant, as everywhere where something ends. Raises OperationError for what is no time, does not
    exist, is past, or is more than ten years away.
    """
    end = _read(text.strip(), now)
    whole = (end + datetime.timedelta(microseconds=999_999)).astimezone(datetime.UTC).replace(microsecond=0)
    if whole <= now:
        raise _refused(text, "is past")
    if whole - now > LONGEST:
        raise _refused(text, "is too far away")
    return whole


def parse_at(text: str, now: datetime.datetime, zone: datetime.tzinfo | None = None) -> datetime.datetime:
    """Return the instant that `text` means, past or to come: as in parse_until, ``2h`` is in two hours.

    Times without a zone are those of `zone`, None for this machine's clock. Raises OperationError for what is no time,
    or does not exist.
    """
    return _read(text.strip(), now, zone)


def written(end: datetime.datetime) -> str:
    """Return an end in UTC as hosts read it: ``2026-12-24T17:00:00Z``."""
    return end.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _read(text: str, now: datetime.datetime, zone: datetime.tzinfo | None = None) -> datetime.datetime:
    if clock := _CLOCK.fullmatch(text):
        return _next(datetime.time(int(clock[1]), int(clock[2])), text, now, zone)
    if span := _DURATION.fullmatch(text):
        days, hours, minutes, seconds = (int(number or 0) for number in span.groups())
        return now + datetime.timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if match := _MOMENT.fullmatch(text):
        try:
            moment = datetime.datetime.fromisoformat(text)
        except ValueError as error:
            raise _refused(text, "does not exist") from error
        return moment if match[1] else _here(moment, text, zone)
    raise _refused(text, "is no time")


def _next(clock: datetime.time, text: str, now: datetime.datetime, zone: datetime.tzinfo | None) -> datetime.datetime:
    """Return the next instant after `now` at which the clock of `zone` shows `clock`."""
    today = now.astimezone(zone).date()
    for days in (0, 1):
        end = _here(datetime.datetime.combine(today + datetime.timedelta(days=days), clock), text, zone)
        if end > now:
            return end
    raise AssertionError("a time of tomorrow is not past")


def _here(moment: datetime.datetime, text: str, zone: datetime.tzinfo | None) -> datetime.datetime:
    """Return the instant at which the clock of `zone` shows `moment`: the second one, where there are two."""
    end = moment.replace(fold=1, tzinfo=zone).astimezone(datetime.UTC)
    if end.astimezone(zone).replace(tzinfo=None) != moment:
        raise _refused(text, f"does not exist: the clocks jump over it on {moment:%Y-%m-%d}")
    return end


def _refused(text: str, why: str) -> OperationError:
    return OperationError(f'"{text[:60]}" {why}', FORMS, "bad-time")
