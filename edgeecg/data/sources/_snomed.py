"""From the SNOMED CT codes of the PhysioNet Challenges 2020 and 2021 to PTB-XL's superclasses.

The Challenges' 12-lead records state their diagnoses in the header, as ``#Dx: 426783006,...``.
Each code below counts for the superclass that PTB-XL gives the corresponding SCP statement. The
statements are those of Wagner et al. (Scientific Data 7:154, 2020, table 2), the codes those of
``dx_mapping_scored.csv`` and ``dx_mapping_unscored.csv`` of the Challenge 2021 (Reyna et al.,
Computing in Cardiology 48, 2021). Two decisions are not PTB-XL's:

- Findings of ST segments and T waves (``164931005`` ST elevation, ``429622005`` ST depression,
  ``164934002`` abnormal T wave, ``59931005`` inverted T wave, ...) count as STTC. In PTB-XL they
  are statements of form, which have no superclass; other databases state nothing else.
- ``426783006`` (sinus rhythm) counts as NORM only where no code of another superclass is there:
  the Challenges write it for PTB-XL's ``NORM`` and for its ``SR``, which abnormal records have too.

Codes that are not mapped, because PTB-XL has no diagnostic superclass for them:

- rhythms: sinus bradycardia 426177001, tachycardia 427084000 and arrhythmia 427393009, atrial
  fibrillation 164889003 and flutter 164890007, pacing 10370003, supraventricular and ventricular
  tachycardias, and the like;
- ectopic beats: 284470004, 63593006, 427172004, 17338001, 164884008, and the like;
- axis, voltage and form: axis deviations 39732003 and 47665007, low voltages 251146004, left
  ventricular high voltage 55827005, abnormal Q wave 164917005, poor R wave progression 365413008,
  long PR interval 164947007, U wave 164937009, and the like.

They are counted and reported, and a record with no other code has no superclass.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

SINUS_RHYTHM = "426783006"
"""NORM, where no other superclass is there."""

_CODES: Mapping[str, tuple[str, ...]] = {
    "MI": (
        "164865005",  # myocardial infarction
        "164867002",  # old myocardial infarction
        "57054005",  # acute myocardial infarction
        "54329005",  # anterior myocardial infarction
    ),
    "STTC": (
        "55930002",  # ST changes
        "164930006",  # abnormal ST interval
        "164931005",  # ST elevation
        "429622005",  # ST depression
        "704997005",  # inferior ST depression
        "428750005",  # nonspecific ST-T abnormality
        "164934002",  # abnormal T wave
        "59931005",  # inverted T wave
        "111975006",  # long QT interval
        "164861001",  # myocardial ischaemia
        "413444003",  # acute myocardial ischaemia
        "413844008",  # chronic myocardial ischaemia
        "426434006",  # anterior ischaemia
        "425419005",  # inferior ischaemia
        "425623009",  # lateral ischaemia
        "370365005",  # left ventricular strain
    ),
    "CD": (
        "6374002",  # bundle branch block
        "733534002",  # complete left bundle branch block
        "164909002",  # left bundle branch block
        "251120003",  # incomplete left bundle branch block
        "713427006",  # complete right bundle branch block
        "59118001",  # right bundle branch block
        "713426002",  # incomplete right bundle branch block
        "445118002",  # left anterior fascicular block
        "445211001",  # left posterior fascicular block
        "698252002",  # nonspecific intraventricular conduction disorder
        "82226007",  # diffuse intraventricular block
        "233917008",  # atrioventricular block
        "270492004",  # 1st degree AV block
        "195042002",  # 2nd degree AV block
        "54016002",  # 2nd degree AV block, Mobitz I
        "28189009",  # 2nd degree AV block, Mobitz II
        "426183003",  # AV block, Mobitz II
        "27885002",  # complete heart block
        "204384007",  # congenital incomplete AV block
        "74390002",  # Wolff-Parkinson-White syndrome
        "195060002",  # ventricular pre-excitation
    ),
    "HYP": (
        "164873001",  # left ventricular hypertrophy
        "89792004",  # right ventricular hypertrophy
        "266249003",  # ventricular hypertrophy
        "195126007",  # atrial hypertrophy
        "446813000",  # left atrial hypertrophy
        "67741000119109",  # left atrial enlargement
        "253352002",  # left atrial abnormality
        "446358003",  # right atrial hypertrophy
        "67751000119106",  # right atrial enlargement
        "253339007",  # right atrial abnormality
    ),
}

SUPERCLASS_OF: Mapping[str, str] = {
    code: superclass for superclass, codes in _CODES.items() for code in codes
}
"""Superclass of each code but :data:`SINUS_RHYTHM`."""


def superclasses(codes: Iterable[str]) -> frozenset[str]:
    """Return the superclasses of a record with these codes."""
    found = set(codes)
    classes = frozenset(SUPERCLASS_OF[code] for code in found if code in SUPERCLASS_OF)
    if not classes and SINUS_RHYTHM in found:
        return frozenset({"NORM"})
    return classes


def unmapped(codes: Iterable[str]) -> frozenset[str]:
    """Return the codes that count for no superclass."""
    return frozenset(code for code in codes if code not in SUPERCLASS_OF and code != SINUS_RHYTHM)
