"""From a run's JSON documents to one page: baseline beside compressed, measured beside proxy.

``documents`` reads the run folder, ``comparison`` sets its figures side by side as plain values,
``scope`` says which data they stand for, ``units`` turns numbers into text, ``tables`` and
``provenance`` lay them out, ``plots`` draws, ``page`` and ``terminal`` show.
"""
