"""Records in, preprocessed windows out.

- ``load.py``: :func:`load_dataset`, the way in; ``places.py``: where databases lie here.
- ``dataset.py``: what is asked, and the values that come out.
- ``mitdb.py``, ``ptbxl.py``, ``folder.py``: real records; ``fetch.py`` gets them.
- ``synthetic.py``, ``synthetic_ptbxl.py`` and ``mcsharry.py``: generated ones, for a machine
  without them.
- ``annotated.py`` and ``beat_windows.py``: from records with R peaks to one window per beat.
- ``ptbxl_index.py`` and ``ptbxl_records.py``: from PTB-XL's tables to one window per record.
- ``unlabelled.py``: records to classify, R peaks detected where there are none.
- ``split.py``: which patients train, validate and test; ``aami.py``: from beat symbols to classes.
- ``records.py`` and ``format16.py``: the readers of WFDB files, a careful one and a fast one; they
  believe nothing that they have not checked. ``inside.py``: no path leaves its folder.
- ``windows.py``, ``rhythm.py`` and ``reference.py``: causal preprocessing; the same code for
  training and a stream. ``noise.py``: recorded noise.
- ``cache.py`` and ``record_cache.py``: windows kept on disk under the hash of all they were made
  from; of whole records as a memory map.
- ``inventory.py`` and ``picture.py``: what ``edgeecg data`` shows.
"""

from edgeecg.data.loading import load_dataset
from edgeecg.data.windows.dataset import Dataset, OnRecord, Request, Windows

__all__ = ["Dataset", "OnRecord", "Request", "Windows", "load_dataset"]
