#!/usr/bin/python3 -BS
"""The first program of the emulated machine: runs one module, then switches the machine off.

It is copied into the machine and needs nothing but Python's library. Linux starts it with the name
of the module as its argument.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import sys
import traceback

MOUNTS = ((b"proc", b"/proc"), (b"sysfs", b"/sys"), (b"tmpfs", b"/tmp"))
PACKAGES = ["/job", "/packages"]
POWER_OFF = 0x4321FEDC
"""``LINUX_REBOOT_CMD_POWER_OFF`` of ``reboot(2)``."""


def main() -> None:
    """Mount what programs expect, run the module, and switch off whatever happens."""
    libc = ctypes.CDLL(None)
    try:
        for kind, place in MOUNTS:
            libc.mount(kind, place, kind, 0, None)
        # Processes that the module starts find the packages, too.
        os.environ.update(
            PATH="/usr/bin:/bin", HOME="/tmp", LANG="C.UTF-8", PYTHONPATH=":".join(PACKAGES)
        )
        sys.path[:0] = PACKAGES
        runpy.run_module(sys.argv[1], run_name="__main__")
    except BaseException:
        traceback.print_exc(file=sys.stdout)
    finally:
        sys.stdout.flush()
        libc.sync()
        libc.reboot(POWER_OFF)


if __name__ == "__main__":
    main()
