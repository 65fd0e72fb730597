"""Removing weights, channels, LSTM units, attention heads and blocks.

- ``channels.py``: :func:`~edgeecg.pruning.channels.prune_channels` ranks units and removes them.
- ``groups.py``: the contract shared by all kinds of units, and their removal.
- ``coupling.py``: channels that must be removed together; ``lstm_units.py``,
  ``attention_heads.py`` and ``blocks.py``: the other kinds of units.
- ``importance.py``: importance of weights and units; ``gradients.py``: importance by the loss.
- ``layer_energy.py``: the energy term of the importance; ``schedule.py``: how much is removed when.
- ``masks.py``: single weights set to zero.
- ``traceable.py``: whether the channels of a custom module can be pruned; ``verification.py``:
  whether a removal gives the outputs that it should.
"""
