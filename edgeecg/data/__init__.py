"""Records in, preprocessed windows out.

- ``load.py``: :func:`load_dataset`, the way in.
- ``dataset.py``: what is asked, and the values that come out.
- ``mitdb.py``, ``ptbxl.py``, ``folder.py``: real records: which there are, and where they lie.
- ``synthetic.py``, ``synthetic_ptbxl.py`` and ``mcsharry.py``: generated ones, for a machine
  without them.
- ``annotated.py``: from records with annotated beats to one window per beat.
- ``split.py``: which patients train, validate and test.
- ``aami.py``: from beat symbols to classes.
- ``records.py``: the one reader of WFDB files; it believes nothing that it has not checked.
- ``windows.py``, ``rhythm.py`` and ``reference.py``: causal preprocessing; the same code for
  training and a stream.
- ``cache.py``: windows kept on disk under the hash of all they were made from.
"""

from edgeecg.data.dataset import Dataset, OnRecord, Request, Windows
from edgeecg.data.load import load_dataset

__all__ = ["Dataset", "OnRecord", "Request", "Windows", "load_dataset"]
