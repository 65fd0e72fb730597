"""Energy-aware compression: importance, schedule, masks or removed units, distillation.

Removing units, from the ranking to the tensors:

- ``channels.py``: :func:`~edgeecg.compress.channels.prune_channels`, the way in: what goes.
- ``groups.py``: the contract of all kinds, and the removal.
- ``coupling.py``: channels that belong together; ``lstm_units.py``, ``attention_heads.py``,
  ``blocks.py``: the other kinds.
- ``importance.py``: what single weights and units matter; ``gradients.py``: by the loss.
"""
