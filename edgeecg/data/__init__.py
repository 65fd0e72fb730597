"""Records in, preprocessed windows out.

- ``dataset.py``: :func:`load_dataset`, the way in.
- ``beats.py``: the values that come out.
- ``mitdb.py``: which MIT-BIH records there are, and where they lie on this machine.
- ``synthetic.py`` and ``mcsharry.py``: generated records, for a machine without MIT-BIH.
- ``split.py``: which patients train, validate and test.
- ``aami.py``: from beat symbols to classes.
- ``records.py``: the one reader of WFDB files; it believes nothing that it has not checked.
- ``windows.py``: causal preprocessing; the same code for training and for a stream.
- ``cache.py``: windows kept on disk under the hash of all they were made from.
"""

from edgeecg.data.beats import Beats, Dataset
from edgeecg.data.dataset import load_dataset

__all__ = ["Beats", "Dataset", "load_dataset"]
