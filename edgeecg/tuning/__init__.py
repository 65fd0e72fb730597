"""Searching for the best trade-offs of a compression: Optuna decides, workers or Ray compute.

``space`` says what may be chosen, ``study`` asks Optuna for the next trial and keeps its outcome,
``trial`` performs one trial in an ordinary run folder, ``workers`` and ``cluster`` perform trials
in processes of this machine and on the nodes of a Ray cluster, and ``search`` puts them together.
"""
