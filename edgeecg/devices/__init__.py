"""Recognising the machine a measurement runs on, and reading its state.

A device is one TOML file: ``devices/NAME.toml`` here, or one of another package that has an entry
point in the group ``edgeecg.devices``.
"""

from __future__ import annotations

from edgeecg.devices.catalogue import Device, catalogue

__all__ = ["Device", "catalogue"]
