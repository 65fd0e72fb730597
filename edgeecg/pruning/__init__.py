"""Removing weights, channels, LSTM units, attention heads and blocks.

- ``channels.py``: :func:`~edgeecg.pruning.channels.prune_channels` ranks units and removes them.
- ``groups.py``: what every kind of unit has in common, and the removal itself.
- ``coupling.py``: channels that must be removed together; ``lstm_units.py``,
  ``attention_heads.py`` and ``blocks.py``: the other kinds.
- ``importance.py``: importance of weights and units; ``gradients.py``: importance by the loss.
- ``masks.py``: single weights set to zero.
"""
