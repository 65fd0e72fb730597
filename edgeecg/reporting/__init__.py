"""The report of a run: baseline and compressed model, proxy and measurement, on one page.

``documents`` reads the run folder, ``comparison`` computes the figures as plain values,
``captions`` says which records they were computed on, and ``units`` formats numbers. ``tables``,
``steps_table``, ``measured`` and ``provenance`` make the tables, ``plots`` and
``training_curves`` the figures. ``page`` and ``terminal`` show them; ``evaluation`` has the tables
of ``edgeecg evaluate``.

``differences`` compares results of several runs or documents and ``fail_if`` checks conditions on
them; ``battery_life`` computes days of battery.
"""
