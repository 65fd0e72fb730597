"""The front as one self-contained HTML page: a picture of the trials, and tables."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from edgeecg.schema.search import SCORES, Front, Objective, SearchTrial, formatted

_WIDTH, _HEIGHT, _MARGIN = 640, 360, 60

_STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;margin:1rem 0}td,th{padding:.2rem .7rem;text-align:right}
td:first-child,th:first-child{text-align:left}tr{border-bottom:1px solid #ddd}
.reason{text-align:left;max-width:30rem}text{font-size:12px}"""


def render(front: Front) -> str:
    """Return the page as HTML text.

    Args:
        front: What a search has found.
    """
    title = f"Search {front.name}: {front.model} on {front.data}"
    states = [trial.state for trial in front.trials]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    best = [trial for name in front.front for trial in front.trials if trial.run == name]
    others = [trial for trial in front.trials if trial not in best]
    decided = "Scores decide on the validation records"
    if front.finished and front.front:
        decided += "; the test records were scored once, at the end, for the front alone"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}'
        f"</title><style>{_STYLE}</style></head><body>\n<h1>{escape(title)}</h1>\n"
        f"<p>{len(states)} trials: {escape(counts)}. {decided}. Energy and latency are "
        "relative to the dense model; size is in bytes of weights.</p>\n"
        f"{''.join(f'<p>Warning: {escape(each)}</p>' for each in front.warnings)}\n"
        f"{_picture(front, best)}\n<h2>Front</h2>\n{_table(best, front.objectives)}\n"
        f"<h2>Other trials</h2>\n{_table(others, front.objectives)}\n"
        "<p>Research software. Not a medical device; not for diagnosis.</p></body></html>\n"
    )


def _table(trials: Sequence[SearchTrial], objectives: Sequence[Objective]) -> str:
    if not trials:
        return "<p>None.</p>"
    params = list(dict.fromkeys(name for trial in trials for name in trial.params))
    tested = any(trial.test is not None for trial in trials)
    heads = ["run", *objectives, *(["test"] if tested else []), "state", *params]
    rows = "".join(_row(trial, objectives, params, tested) for trial in trials)
    return f"<table><tr>{''.join(f'<th>{escape(head)}</th>' for head in heads)}</tr>{rows}</table>"


def _row(
    trial: SearchTrial, objectives: Sequence[Objective], params: Sequence[str], tested: bool
) -> str:
    values = trial.values or (None,) * len(objectives)
    shown = zip(objectives, values, strict=True)
    cells = [
        trial.run,
        *("-" if value is None else formatted(name, value) for name, value in shown),
    ]
    if tested:
        cells.append("-" if trial.test is None else f"{trial.test:.3f}")
    cells.append(trial.state)
    cells += [_short(trial.params.get(name)) for name in params]
    row = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    if trial.reason is None:
        return f"<tr>{row}</tr>"
    reason = f'<td class="reason" colspan="{len(cells)}">{escape(trial.reason)}</td>'
    return f"<tr>{row}</tr><tr>{reason}</tr>"


def _short(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _picture(front: Front, best: Sequence[SearchTrial]) -> str:
    """Draw the complete trials over the first two objectives; those of the front are filled."""
    shown = [(trial, trial.values) for trial in front.trials if trial.values is not None]
    if len(front.objectives) < 2 or not shown:
        return ""
    across, up = [values[1] for _, values in shown], [values[0] for _, values in shown]
    dots = "".join(
        f'<circle cx="{_placed(values[1], across, _WIDTH):.1f}" '
        f'cy="{_HEIGHT - _placed(values[0], up, _HEIGHT):.1f}" r="5" stroke="#1f5fa8" '
        f'fill="{"#1f5fa8" if trial in best else "none"}">'
        f"<title>{escape(trial.run)}</title></circle>"
        for trial, values in shown
    )
    x_ends = "".join(
        f'<text x="{_placed(value, across, _WIDTH):.0f}" y="{_HEIGHT - 30}" '
        f'text-anchor="middle">{value:.3g}</text>'
        for value in {min(across), max(across)}
    )
    y_ends = "".join(
        f'<text x="{_MARGIN - 15}" y="{_HEIGHT - _placed(value, up, _HEIGHT):.0f}" '
        f'text-anchor="end">{value:.3g}</text>'
        for value in {min(up), max(up)}
    )
    up_name, across_name = (
        f"{name} (validation)" if name in SCORES else name for name in front.objectives[:2]
    )
    names = (
        f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 8}" text-anchor="middle">{across_name}'
        f'</text><text x="5" y="15">{up_name}</text>'
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" role="img" '
        f'aria-label="Trials; those of the front are filled">{dots}{x_ends}{y_ends}{names}</svg>'
    )


def _placed(value: float, among: Sequence[float], length: float) -> float:
    low, high = min(among), max(among)
    share = 0.5 if high == low else (value - low) / (high - low)
    return _MARGIN + share * (length - 2 * _MARGIN)
