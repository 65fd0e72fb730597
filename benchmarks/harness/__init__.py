"""What ``benchmarks/run.py`` is made of.

An experiment (``experiments/NAME.toml``) is of a *kind* (a module of ``kinds/``), which lists the
tasks of the experiment. A task that is not in ``results/NAME.jsonl`` yet is measured, and its rows
are appended. ``tables/`` makes Markdown of the rows.
"""
