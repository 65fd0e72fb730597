"""Measuring exported files: latency, energy, memory, parity, and instructions on emulated cores.

``run`` has the functions of the public API; ``run_artifacts`` finds the files of a run and stores
the report in its folder. ``protocol.measure`` measures files on this machine from beginning to end,
as ``config`` says. ``artifacts`` checks and counts a file, ``file_steps`` has the steps of
measuring one, which run in a process of its own (``file_process`` here, ``file_worker`` there):
``memory`` notes its peak, ``parity`` repeats the probe set, ``latency`` times it, ``layers`` gives
every operation its share of the time, and ``energy`` reads a meter that ``meter_choice`` opens, in
this process. ``breakdown`` splits the median, ``file_result`` puts the result together, and
``conditions`` warns of a disturbed measurement.

``remote`` measures on another machine and ``fleet`` on several; ``bundle`` is a file that carries
all that such a machine needs. ``trace`` and the modules ``trace_*`` read power traces that
instruments exported. ``calibration`` measures what the operations of a device cost, and
``instructions`` counts those of an inference on an emulated core.
"""
