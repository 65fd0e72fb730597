"""Measuring exported files on this machine.

``protocol.measure`` measures files from beginning to end, as ``config`` says. ``artifacts`` checks
and counts a file, ``file_steps`` has the steps of measuring one: ``memory`` runs it in a separate
process, ``parity`` repeats the probe set, ``latency`` times it, ``layers`` gives every operation
its share of the time, and ``energy`` reads a meter that ``meter_choice`` opens. ``breakdown``
splits the median, and ``conditions`` warns of a disturbed measurement. ``run`` is the function of
the public API; ``run_artifacts`` finds the files of a run and stores the report in its folder.
"""
