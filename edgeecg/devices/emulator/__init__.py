"""Emulated Arm cores, on which ``edgeecg bench --device emulated:CORE`` counts instructions.

QEMU emulates a whole machine with one core, and its clock advances by one nanosecond for every
instruction that the core executes. A difference of two clock readings is therefore a number of
instructions, which is the same in every run. It is not a time: caches, memory and the width of the
core are not emulated.

The machine boots an image that :func:`edgeecg.devices.emulator.image.build` makes once: a Linux
kernel and Python from the Debian archive, NumPy, pydantic and LiteRT from PyPI. Files and the code
of edgeecg are added to it in a second archive at every start.
"""
