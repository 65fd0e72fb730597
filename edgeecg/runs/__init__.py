"""Run folders: which file is where, which run is the newest, and what happened in it when."""

from edgeecg.runs.choosing import (
    exportable,
    given_name,
    named,
    new_run,
    newest,
    newest_unfinished,
    newest_untrained,
    trained,
)
from edgeecg.runs.folder import RUNS, RunFolder
from edgeecg.runs.revision import git_revision

__all__ = [
    "RUNS",
    "RunFolder",
    "exportable",
    "git_revision",
    "given_name",
    "named",
    "new_run",
    "newest",
    "newest_unfinished",
    "newest_untrained",
    "trained",
]
