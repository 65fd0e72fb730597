"""What a report says of parts that are missing or not used."""

from __future__ import annotations

from dataclasses import dataclass

from edgeecg.schema import BenchReport


@dataclass(frozen=True)
class Remark:
    """A remark about a part that is missing or not used.

    Attributes:
        subject: The file or part.
        text: Why, and what to do about it.
    """

    subject: str
    text: str


def failures(report: BenchReport) -> list[Remark]:
    """Return the files and hosts of a report that could not be measured, with the reason.

    Args:
        report: The report.
    """
    files = [(each.file, each) for each in report.failed_files]
    hosts = [(each.host, each) for each in report.failed_hosts]
    return [
        Remark(name, f"could not be measured. {each.what} {each.why} {each.todo}")
        for name, each in (*files, *hosts)
    ]
