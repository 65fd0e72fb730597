"""Measuring exported files on this machine.

``protocol.measure`` measures files from beginning to end, as ``config`` says. ``artifacts`` checks
and counts a file, ``file_steps`` has the steps of measuring one, which run in a process of its own
(``file_process`` here, ``file_worker`` there): ``memory`` notes its peak, ``parity`` repeats the
probe set, ``latency`` times it, ``layers`` gives every operation its share of the time, and
``energy`` reads a meter that ``meter_choice`` opens, in this process. ``breakdown``
splits the median, and ``conditions`` warns of a disturbed measurement. ``run`` is the function of
the public API; ``run_artifacts`` finds the files of a run and stores the report in its folder.
"""
