"""What a command says about extensions of other packages that cannot be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeecg import plugins

if TYPE_CHECKING:
    from rich.console import Console


def report_broken(group: str, console: Console) -> None:
    """Name the extensions in a group that cannot be used; the others work.

    Args:
        group: Entry-point group, e.g. ``"edgeecg.meters"``.
        console: Where to.
    """
    for each in plugins.broken(group):
        console.print(
            f"Not usable: '{each.name}' of the package '{each.distribution}'. {each.reason}",
            soft_wrap=True,
            markup=False,
        )
