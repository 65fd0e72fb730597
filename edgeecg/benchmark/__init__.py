"""Measuring exported files on this machine.

``protocol.measure`` measures files from beginning to end: ``artifacts`` checks and counts a file,
``memory`` runs it in a separate process, ``latency`` times it, ``breakdown`` splits the median,
``layers`` gives every operation its share of it, ``energy`` reads a meter that ``meter_choice``
opens, and ``parity`` repeats the probe set. ``run_artifacts`` finds the files of a run and stores
the report in the run folder.
"""
