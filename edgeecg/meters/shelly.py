"""A Shelly smart plug, through its local HTTP interface; nothing leaves the local network.

``--meter shelly:ADDRESS``, e.g. ``shelly:192.168.1.20`` or ``shelly:192.168.1.20/1`` for the second
channel. Plugs of the first generation have ``/meter/0``, those of later generations
``/rpc/Switch.GetStatus?id=0`` (or ``PM1.GetStatus``). A plug measures on the mains side, the power
supply included, about once a second with steps of 0.1 W: it is a last resort for large models.

A plug does not say when it measured. A reading counts as new when any of its values differ from
the reading before; the same reading is never taken twice.
"""

from __future__ import annotations

import json
import math
import re
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any, cast

from edgeecg.errors import MeterError
from edgeecg.meters._polling import PolledMeter, ReadingError

SAMPLED = True
BESIDE = True

_RATE_HZ = 1.0
_POLL_HZ = 2.0
_OPEN_TIMEOUT_S = 3.0
_TIMEOUT_S = 0.8
_MAX_ANSWER_BYTES = 65_536
# 16 A at 250 V.
_MAX_WATTS = 4000.0
_STEP_W = 0.1
_UNCHANGED_S = 15.0
_ADDRESS = re.compile(r"(?:http://)?([A-Za-z0-9][A-Za-z0-9.-]*(?::\d{1,5})?)(?:/(\d)?)?")


def _direct_opener() -> urllib.request.OpenerDirector:
    """Return an opener that neither a proxy nor a redirection leads away from the local plug."""
    opener = urllib.request.OpenerDirector()
    opener.add_handler(urllib.request.HTTPHandler())
    opener.add_handler(urllib.request.HTTPErrorProcessor())
    opener.add_handler(urllib.request.HTTPDefaultErrorHandler())
    return opener


_OPENER = _direct_opener()


class ShellyMeter(PolledMeter):
    """One channel of a plug."""

    def __init__(self, url: str, zone: str, key: str) -> None:
        """Prepare to poll.

        Args:
            url: Address of the channel's status.
            zone: What it covers.
            key: Key of the power in the status.
        """
        super().__init__("shelly", (zone,), _RATE_HZ, _MAX_WATTS, poll_hz=_POLL_HZ)
        self.resolution_w = _STEP_W
        self._url = url
        self._key = key
        self._last: dict[str, Any] | None = None
        self._changed_s = time.perf_counter()

    def take(self) -> tuple[float, float] | None:
        """Ask for the status; return None when it is the same as before."""
        begun = time.perf_counter()
        status = _asked(self._url, _TIMEOUT_S)
        middle = (begun + time.perf_counter()) / 2
        watts = _power(status, self._key)
        if status == self._last:
            if middle - self._changed_s > _UNCHANGED_S:
                self.remark(
                    f"The plug reported the same values for {_UNCHANGED_S:g} s; they count once."
                )
            return None
        self._last, self._changed_s = status, middle
        return middle, watts

    def close(self) -> None:
        """Do nothing: every reading is a request of its own."""


def open(where: str | None = None) -> ShellyMeter:
    """Open a smart plug.

    Args:
        where: ``ADDRESS`` or ``ADDRESS/CHANNEL``.

    Raises:
        MeterError: No address is given, there is no Shelly that measures, or it wants a password.
    """
    if where is None:
        raise MeterError(
            "No Shelly smart plug was named.",
            "A plug is not searched for in the network.",
            "Give its address, which the Shelly app shows: --meter shelly:192.168.1.20",
        )
    match = _ADDRESS.fullmatch(where)
    if match is None:
        raise MeterError(
            f"'{where}' is not the address of a smart plug.",
            "An address is a name or number in the local network, with /1 for the second channel.",
            "Give it as in --meter shelly:192.168.1.20",
        )
    host, channel = match[1], match[2] or "0"
    base = f"http://{host}"
    try:
        about = _asked(f"{base}/shelly", _OPEN_TIMEOUT_S)
        paths = (
            [f"/rpc/Switch.GetStatus?id={channel}", f"/rpc/PM1.GetStatus?id={channel}"]
            if "gen" in about
            else [f"/meter/{channel}"]
        )
        for path in paths:
            try:
                status = _asked(base + path, _OPEN_TIMEOUT_S)
            except _NotFoundError:
                continue
            key = "apower" if "gen" in about else "power"
            if key not in status:
                break
            _power(status, key)
            return ShellyMeter(base + path, f"plug {host}/{channel}", key)
    except ReadingError as error:
        raise MeterError(
            f"The smart plug at '{host}' cannot be read.",
            f"It was asked, but {error}.",
            "Check its address in the Shelly app, and that this computer is in the same network.",
        ) from error
    raise MeterError(
        f"The Shelly at '{host}' does not measure power on channel {channel}.",
        f"It is a {about.get('app') or about.get('model') or about.get('type') or 'device'} "
        "without a power meter on this channel.",
        "Use a Shelly with power metering (Plug S, Plus Plug S, PM), or another channel: "
        f"--meter shelly:{host}/1.",
    )


class _NotFoundError(ReadingError):
    """The plug has no such path."""


def _asked(url: str, timeout_s: float) -> dict[str, Any]:
    try:
        with _OPENER.open(url, timeout=timeout_s) as answer:
            content = answer.read(_MAX_ANSWER_BYTES)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 401:
                raise MeterError(
                    "The smart plug asks for a password.",
                    f"'{url}' answers with status 401.",
                    "Switch the plug's authentication off while you measure.",
                ) from error
            kind = _NotFoundError if error.code == 404 else ReadingError
            raise kind(f"'{url}' answers with status {error.code}") from error
    except TimeoutError as error:
        raise ReadingError(f"'{url}' gave no answer within {timeout_s:g} s") from error
    except urllib.error.URLError as error:
        raise ReadingError(f"'{url}' cannot be reached: {error.reason}") from error
    except (OSError, HTTPException) as error:
        raise ReadingError(f"'{url}' broke off: {error}") from error
    try:
        found = json.loads(content)
    except ValueError as error:
        raise ReadingError(f"'{url}' answers with something else than JSON") from error
    if not isinstance(found, dict):
        raise ReadingError(f"'{url}' answers with something else than a JSON object")
    return cast("dict[str, Any]", found)


def _power(status: dict[str, Any], key: str) -> float:
    watts = status.get(key)
    if isinstance(watts, bool) or not isinstance(watts, int | float) or not math.isfinite(watts):
        raise ReadingError(f"the status has no power: '{key}' is {watts!r}")
    if status.get("is_valid") is False:
        raise ReadingError("the plug says that its reading is not valid")
    return float(watts)
