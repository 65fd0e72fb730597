"""Titles, captions and footnotes: which records a figure was computed on."""

from __future__ import annotations

from edgeecg.schema import DataSummary, Preprocessing, Source, Split

# de Chazal et al. 2004: the 22 test records of the inter-patient split.
_DS2 = {
    *("100", "103", "105", "111", "113", "117", "121", "123", "200", "202", "210", "212", "213"),
    *("214", "219", "221", "222", "228", "231", "232", "233", "234"),
}


_TITLES: dict[Source, str] = {
    "mitdb": "MIT-BIH Arrhythmia Database",
    "ptbxl": "PTB-XL",
    "folder": "your own records",
    "synthetic": "synthetic data",
}


def title(data: DataSummary) -> str:
    """Return the name of the data, for the title of the page."""
    return source_title(data.source)


def source_title(source: Source) -> str:
    """Return the name of a source of records."""
    return _TITLES.get(source, source)


def in_no_operation(share: float) -> str:
    """Return how much of a run its operations leave out, for the end of a sentence.

    Args:
        share: That fraction; below zero where the operations, measured one by one, take longer
            than a run, which may fuse some of them.
    """
    percent = round(100 * share)
    if percent < 0:
        return f"measured one by one, the operations take {1 - share:.2f} times as long as a run"
    return f"{percent} % of a run is in no operation"


def inference(data: DataSummary, preprocessing: Preprocessing) -> str:
    """Return what one inference classifies: ``"heartbeat"``, or e.g. ``"10-s record"``."""
    if data.class_map != "superclasses":
        return "heartbeat"
    return f"{preprocessing.window / preprocessing.fs_hz:g}-s record"


def sample_kind(data: DataSummary) -> str:
    """Return what is counted and scored: ``"beats"`` or ``"records"``."""
    return "records" if data.class_map == "superclasses" else "beats"


def split(data: DataSummary, name: Split) -> str:
    """Return the records that the scores of a split were computed on."""
    return test(data) if name == "test" else validation(data)


def shared_records(data: DataSummary) -> list[str]:
    """Return the test records that are also training or validation records."""
    return sorted(set(data.test_records) & (set(data.train_records) | set(data.val_records)))


def test(data: DataSummary) -> str:
    """Return the test records in words, e.g. ``"MIT-BIH, inter-patient, DS2, ..."``."""
    if data.class_map == "superclasses":
        return f"{title(data)}, {', '.join(data.test_records)}"
    if data.source == "synthetic":
        return f"synthetic data, {len(data.test_records)} test records"
    if data.source != "mitdb":
        records = f"{len(data.test_records)} test records"
        return f"{title(data)}, {records}, class map {data.class_map}"
    inter_patient = "NOT inter-patient" if shared_records(data) else "inter-patient"
    return f"MIT-BIH, {inter_patient}, {_test_set(data)}, class map {data.class_map}"


def validation(data: DataSummary) -> str:
    """Return the validation records in words."""
    if data.class_map == "superclasses":
        return f"{title(data)}, {', '.join(data.val_records)}"
    if data.source == "synthetic":
        return f"synthetic data, {len(data.val_records)} validation records"
    if data.source != "mitdb":
        return f"{title(data)}, {len(data.val_records)} validation records"
    return f"MIT-BIH, validation records, class map {data.class_map}"


def synthetic_only(data: DataSummary) -> str:
    """Return the caption of figures that are not scores: empty unless the data is synthetic."""
    return "synthetic data" if data.source == "synthetic" else ""


def footnotes(data: DataSummary) -> list[str]:
    """Return what a reader must know to compare the scores with published ones."""
    if data.class_map == "superclasses":
        notes = ["A record may have any number of classes; each class is scored separately."]
        notes.extend(data.notes)
    else:
        notes = [
            f"Class map {data.class_map}. Beats of other classes (F and Q) count in no score but "
            "EC57's; a confusion matrix may have rows of them."
        ]
        notes.extend(data.notes or _usual_notes(data))
    if shared := shared_records(data):
        notes.append(
            f"Records {', '.join(shared)} were used for training and for testing: the scores are "
            "too high."
        )
    return notes


def _usual_notes(data: DataSummary) -> list[str]:
    notes = ["R peaks come from the annotations, not from a detector."]
    if data.source == "synthetic":
        notes.append("The records are synthetic: the scores do not apply to patients.")
    elif {"201", "202"} <= {*data.train_records, *data.val_records, *data.test_records}:
        notes.append("Records 201 (DS1) and 202 (DS2) are one patient.")
    return notes


def _test_set(data: DataSummary) -> str:
    tested = set(data.test_records)
    if tested == _DS2:
        return "DS2"
    if tested <= _DS2:
        return f"{len(tested)} of the {len(_DS2)} records of DS2"
    return f"{len(tested)} records other than DS2"
