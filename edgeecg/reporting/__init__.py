"""Reports: baseline and compressed model, proxy and measurement, as pages, tables and files.

``documents`` reads the run folder, ``comparison`` computes the figures as plain values,
``captions`` says which records they were computed on, and ``units`` formats numbers. ``tables``,
``steps_table``, ``measured`` and ``provenance`` make the tables of a run. ``variants`` are files
of runs and bench reports, ``results`` reads many of them, ``proxy_agreement`` says how well the
proxy predicted them, and ``verdict`` sums them up. ``html`` makes the pages, ``markdown`` and
``terminal`` the same in text; ``evaluation`` has the tables of ``edgeecg evaluate``.

``differences`` compares results of several runs or documents and ``fail_if`` checks conditions on
them; ``battery_life`` computes days of battery.
"""
