"""Searching for the best trade-offs of a compression: Optuna decides, workers or Ray compute.

- ``search.py``: the function of the public API, which puts the others together.
- ``plan.py``: what is searched, from the settings of a new search or of one that is resumed.
- ``space.py``: what may be chosen; ``space.toml``: the default.
- ``study.py``: asks Optuna for the next trial and keeps its outcome.
- ``running.py``: hands trials to workers, keeps the front; ``trial.py``: performs one trial in an
  ordinary run folder; ``objectives.py``: its values; ``pareto.py``: which beat which.
- ``workers.py``: processes of this machine; ``cluster.py``: a Ray cluster; ``nodes.py``: its nodes.
- ``page.py``: the front as a page.
"""
