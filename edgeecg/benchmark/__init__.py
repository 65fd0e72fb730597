"""Measuring exported files on this machine: one step a module, put together in ``protocol``.

``artifacts`` opens a file, ``memory`` runs it in a fresh process, ``latency`` times it,
``breakdown`` says where the time goes, ``layers`` what each operation takes, ``energy`` reads a
meter, ``parity`` repeats the probe set, ``device`` describes the machine.
"""
