"""From ECG records to preprocessed windows.

:func:`load_dataset` is the entry point; a :class:`DataRequest` says which records it loads and how
they become windows.

- ``sources``: one file per database, and the user's own folder of records.
- ``records``: reading WFDB files, listing the records of a folder, drawing a record.
- ``windows``: from records to data sets of windows, with a cache on disk.
- ``loading.py``: :func:`load_dataset`. ``locations.py``: where databases are on this machine.
  ``download.py``: getting a database. ``inventory.py``: what a database or a folder holds.
  ``unlabelled.py``: windows of records without annotations, for ``edgeecg classify``.

The preprocessing itself is in :mod:`edgeecg.signal`, which a device uses too.
"""

from edgeecg.data.loading import load_dataset
from edgeecg.data.windows.dataset import DataRequest, Dataset, OnRecord, Windows

__all__ = ["DataRequest", "Dataset", "OnRecord", "Windows", "load_dataset"]
