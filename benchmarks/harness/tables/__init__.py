"""Makes Markdown tables of rows: one module for each family of experiments.

A function here takes the :class:`harness.results.Results` of its experiment, then those of the
experiments that ``also`` names, and returns the table with its legend and its provenance.
"""
