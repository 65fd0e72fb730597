"""The compression pipeline: pruning, distillation and quantisation under budgets and guards.

- ``start.py``: the functions of the public API and of the command: a run is started or resumed.
- ``settings.py``: from the settings that were given to the configuration of a run.
- ``pipeline.py``: the order of all stages; ``job.py``: one run; ``run_state.py``: its state between
  two steps.
- ``dense.py``: the dense model that a run starts from.
- ``steps.py``: one step; ``budget.py``: how far it prunes; ``fine_tuning.py`` and ``objective.py``:
  how it is fine-tuned, and its loss.
- ``guards.py``: what must hold after a step; ``fidelity.py``: agreement with the dense model.
- ``guarded_int8.py``: int8 after the last step, as far as the guards allow it.
"""
