"""From raw samples to a model's input window, sample by sample, with NumPy alone.

Training on the workstation and a stream on a device run the same code. A device takes the filter
coefficients from the manifest of an exported file; see :class:`edgeecg.signal.stream.BeatStream`.
"""
