"""Int8 simulated in PyTorch.

- ``fake_quant.py``: rounded weights and activations, with gradients.
- ``fake_quantized.py``: a copy of a model that rounds as its int8 file does; ``graph.py``: where;
  ``folding.py``: batch normalisation that is folded first.
- ``sensitivity.py``: which layers lose accuracy in int8.
- ``int8_stage.py``: the last stage of a compression, with or without fine-tuning.
"""
