"""Hosts that ``edgeecg bench --on`` measures on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from edgeecg.schema.value import Seconds, Value


class Host(Value):
    """A machine that files are measured on over ssh.

    Attributes:
        host: The destination, as ``ssh`` takes it.
        port: Port of its ssh server; that of ssh's configuration when None.
        meter: Energy meter, as ``--meter`` takes it.
        device: Device profile of the host; recognised there when None.
        python: Path of a Python on the host that has the packages; when None, an environment is
            made there.
        wheels: Folder here with wheels, for a host without internet.
    """

    host: str
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    meter: str | None = None
    device: str | None = None
    python: str | None = None
    wheels: Path | None = None

    @property
    def name(self) -> str:
        """The destination, with its port where one is given: what results and messages call it."""
        return self.host if self.port is None else f"{self.host}:{self.port}"


class Fleet(Value):
    """Several hosts: the file that ``edgeecg bench --on FLEET.toml`` reads.

    .. code-block:: toml

        [[hosts]]
        host = "pi@raspberrypi.local"      # as ssh takes it; aliases of ~/.ssh/config work
        meter = "ppk2:/dev/ttyACM0"        # beside the device, on this machine

        [[hosts]]
        host = "pi5"                       # without a meter: the first that works on the host
        port = 2222
        device = "raspberry-pi-5"          # when it is not recognised
        wheels = "wheels/aarch64"          # no internet there; relative to this file
        # python = "~/env/bin/python"      # a Python there that has the packages

    Attributes:
        hosts: The machines. Options of the command line are the defaults of all of them.
    """

    hosts: Annotated[tuple[Host, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [(host.host, host.port) for host in self.hosts]
        if len(set(names)) < len(names):
            raise ValueError("a host is named twice; two measurements would disturb each other")
        meters = [host.meter for host in self.hosts if host.meter and ":" in host.meter]
        if len(set(meters)) < len(meters):
            raise ValueError("a meter is named twice; it can feed one host only")
        return self


class HostClock(Value):
    """The clock of a host against the one of the machine that recorded the meter.

    Attributes:
        offset_s: The host's clock minus the other one, before the measurement.
        drift: By how many seconds the offset grew in a second.
        uncertainty_s: Largest error of a time that was converted from one to the other.
        reason: Why times cannot be converted, or None.
    """

    offset_s: float
    drift: float
    uncertainty_s: Seconds
    reason: str | None = None


class HostFailure(Value):
    """A host of several that could not be measured on.

    Attributes:
        host: The destination.
        what: What failed.
        why: The cause.
        todo: What to do.
    """

    host: str
    what: str
    why: str
    todo: str
