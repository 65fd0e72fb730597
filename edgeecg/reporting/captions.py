"""Which records a figure stands for: said in every title and caption, footnoted under tables."""

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
    "folder": "own records",
    "synthetic": "synthetic data",
}


def title(data: DataSummary) -> str:
    """Return the data's name for the page's title."""
    return _TITLES[data.source]


def inference(data: DataSummary, preprocessing: Preprocessing) -> str:
    """Return what one inference is about: ``"heartbeat"``, or e.g. ``"10-s record"``."""
    if data.class_map != "superclasses":
        return "heartbeat"
    return f"{preprocessing.window / preprocessing.fs_hz:g}-s record"


def things(data: DataSummary) -> str:
    """Return what is counted and scored: ``"beats"`` or ``"records"``."""
    return "records" if data.class_map == "superclasses" else "beats"


def split(data: DataSummary, name: Split) -> str:
    """Return what scores of one split were computed on."""
    return test(data) if name == "test" else validation(data)


def shared_records(data: DataSummary) -> list[str]:
    """Return the records that are tested on and also trained or validated on."""
    return sorted(set(data.test_records) & (set(data.train_records) | set(data.val_records)))


def test(data: DataSummary) -> str:
    """Return what test scores were computed on, e.g. ``"MIT-BIH, inter-patient, DS2, ..."``."""
    if data.class_map == "superclasses":
        return f"{_TITLES[data.source]}, {', '.join(data.test_records)}"
    if data.source == "synthetic":
        return f"synthetic data, {len(data.test_records)} test records"
    if data.source == "folder":
        return f"own records, {len(data.test_records)} test records, class map {data.class_map}"
    inter_patient = "NOT inter-patient" if shared_records(data) else "inter-patient"
    return f"MIT-BIH, {inter_patient}, {_test_set(data)}, class map {data.class_map}"


def validation(data: DataSummary) -> str:
    """Return what validation scores were computed on."""
    if data.class_map == "superclasses":
        return f"{_TITLES[data.source]}, {', '.join(data.val_records)}"
    if data.source == "synthetic":
        return f"synthetic data, {len(data.val_records)} validation records"
    if data.source == "folder":
        return f"own records, {len(data.val_records)} validation records"
    return f"MIT-BIH, validation records, class map {data.class_map}"


def general(data: DataSummary) -> str:
    """Return the tag of a figure that is no score, such as a time; empty for real records."""
    return "synthetic data" if data.source == "synthetic" else ""


def footnotes(data: DataSummary) -> list[str]:
    """Return what a reader must know to compare the scores with other people's."""
    if data.class_map == "superclasses":
        notes = ["A record bears any number of classes; each is given on its own."]
        notes.extend(data.notes)
    else:
        notes = [f"Class map {data.class_map}. Beats of other classes (F and Q) are left out."]
        notes.extend(data.notes or _usual_notes(data))
    if shared := shared_records(data):
        notes.append(
            f"Records {', '.join(shared)} are both trained and tested on: the scores are too high."
        )
    return notes


def _usual_notes(data: DataSummary) -> list[str]:
    notes = ["R peaks come from the annotations, not from a detector."]
    if data.source == "synthetic":
        notes.append("The records are synthetic: the scores say nothing about patients.")
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
