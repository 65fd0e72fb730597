from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from report_measurements import bench, device, joules, latency, no_energy
from report_run import Builder

from edgeecg.reporting import tables
from edgeecg.reporting.comparison import compare
from edgeecg.reporting.documents import read
from edgeecg.reporting.html.run_page import render
from edgeecg.schema import (
    Breakdown,
    Budget,
    CompressionConfig,
    Guard,
    LayerSeconds,
    MeasuredCosts,
    Memory,
    Parity,
    Preprocessing,
    Proxy,
    Reference,
    Rhythm,
    Rollback,
    TrainingConfig,
)

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """Parses a page and checks that its tags are balanced."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).replace("\N{NO-BREAK SPACE}", " ").split())


def page(builder: Builder) -> tuple[str, Page]:
    documents = read(builder.run)
    html = render(documents, compare(documents))
    return html, Page(html)


def test_the_page_stands_alone(full: Builder) -> None:
    html, parsed = page(full)
    assert not parsed.open
    assert len(html.encode()) < 5_000_000
    names = {tag for tag, _ in parsed.tags}
    assert not names & {"link", "img", "iframe", "image"}
    for _, attributes in parsed.tags:
        for key in ("src", "href", "xlink:href"):
            assert (attributes.get(key) or "#").startswith("#")
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)


def test_ids_are_unique_and_every_reference_finds_its_target(full: Builder) -> None:
    html, parsed = page(full)
    ids = [a["id"] for _, a in parsed.tags if a.get("id")]
    assert len(ids) == len(set(ids))
    for target in re.findall(r'(?:url\(#|href="#)([^)"]+)', html):
        assert target in ids


def test_tables_and_figures_are_accessible(full: Builder) -> None:
    _, parsed = page(full)
    headers = [attributes for tag, attributes in parsed.tags if tag == "th"]
    assert headers
    assert all(attributes.get("scope") in ("col", "row") for attributes in headers)
    figures = [attributes for tag, attributes in parsed.tags if tag == "figure"]
    assert len(figures) > 8
    assert all(len(attributes.get("aria-label") or "") > 40 for attributes in figures)
    captions = sum(tag == "caption" for tag, _ in parsed.tags)
    assert captions == sum(tag == "table" for tag, _ in parsed.tags)


def test_the_page_holds_the_figures_and_their_footnotes(full: Builder) -> None:
    _, parsed = page(full)
    for expected in (
        "resnet1d_attn on MIT-BIH",
        "MIT-BIH, inter-patient, DS2, class map aami",
        "Records 201 (DS1) and 202 (DS2) are one patient.",
        "F and Q",
        "417,892",
        "96,310",
        "23.5 MMACs",
        "99.1 kB",
        "1 kB is 1000 bytes",
        "420 µs",
        "not measured [1]",
        "/sys/class/powercap is absent",
        "Se of S without record 232",
        "governor performance",
        "Suite quick: A short look.",
        "Not a medical device",
        "edgeecg compress resnet1d_attn",
    ):
        assert expected in parsed.text
    assert not re.search(r"\b(None|nan|inf)\b", parsed.text)
    assert "0 J" not in parsed.text


def test_every_caption_of_a_synthetic_run_says_so(build: Callable[..., Builder]) -> None:
    builder = build("synthetic")
    builder.write_all()
    html, parsed = page(builder)
    assert "MIT-BIH" not in parsed.text
    assert "synthetic" in html[html.index("<title>") : html.index("</title>")]
    figures = re.findall(r"<figcaption>(.*?)</figcaption>", html)
    assert figures
    assert all("synthetic data" in title for title in figures)
    captions = re.findall(
        r"<caption>(.*?)</caption>", html[: html.index("Everything to repeat it")]
    )
    assert captions
    assert all("synthetic data" in caption for caption in captions)


def test_a_run_of_records_shows_auroc(build: Callable[..., Builder]) -> None:
    builder = build("ptbxl")
    builder.write_all()
    html, parsed = page(builder)
    for expected in (
        "resnet1d_attn on PTB-XL",
        "PTB-XL, fold 10",
        "MACs per 10-s record",
        "test macro AUROC 0.920 [0.900, 0.940] 0.890 [0.900, 0.940] \N{MINUS SIGN}0.030",
        "test macro AUPRC",
        "AUROC of HYP",
        "test, all classes right",
        "Macro AUROC and proxy, step by step",
        "training records fold 1, fold 2",
        "records left out no superclass 60",
        "1000 samples at 100 Hz, from the record's start, leads I, II, III",
        "no filter, global-zscore (mean -0.0007 mV, deviation 0.2341 mV)",
        "A part of PTB-XL.",
    ):
        assert expected in parsed.text
    for foreign in ("MIT-BIH", "heartbeat", "beats", "Confusion of", "232"):
        assert foreign not in parsed.text
    assert not re.search(r"\b(None|nan|inf)\b", parsed.text)
    assert "<title>resnet1d_attn on PTB-XL" in html


def test_the_rhythm_strip_and_the_training_are_in_the_provenance(full: Builder) -> None:
    card = full.card(
        "compressed",
        preprocessing=Preprocessing(rhythm=Rhythm(), reference=Reference(beats=40), r_index=100),
    )
    full.run.model_card.write_text(card.to_json(), encoding="utf-8")
    _, parsed = page(full)
    assert "first 64 samples: 2 RR intervals of 32 samples each" in parsed.text
    assert "minus the mean of the previous 40 beats" in parsed.text
    assert "R peak at sample 100, lead MLII" in parsed.text
    assert "causal high-pass 0.5 Hz, window-zscore" in parsed.text
    assert "augmentation: shift 4" in parsed.text


def test_a_resumed_run_shows_its_first_command_and_every_resumption(full: Builder) -> None:
    resumed = ("edgeecg compress --resume", "edgeecg compress --resume --threads 2")
    log = full.log().model_copy(update={"resumed": resumed})
    full.run.compression_log.write_text(log.to_json(), encoding="utf-8")
    text = page(full)[1].text
    assert "command edgeecg compress resnet1d_attn resumed with edgeecg compress --resume" in text
    assert "resumed with edgeecg compress --resume --threads 2" in text


def test_budgets_and_guards_are_shown_as_on_the_command_line(full: Builder) -> None:
    log = full.log()
    budgets = (Budget.parse("energy=0.2"), Budget.parse("size=40kB"))
    config = CompressionConfig(budgets=budgets, guards=(Guard.parse("S:recall>=0.5"),))
    changed = log.model_copy(update={"config": config})
    full.run.compression_log.write_text(changed.to_json(), encoding="utf-8")
    text = page(full)[1].text
    assert "budgets energy=0.2, size=40000B" in text
    assert "guards S:recall>=0.5" in text
    assert "{" not in text.partition("Compression settings")[2]


def test_training_settings_are_those_of_the_models_and_not_of_the_run(full: Builder) -> None:
    # A dense model of the package: it was trained with another seed than the run, whose
    # configuration names neither the data nor the number of epochs.
    trained = TrainingConfig(leads={}, seed=2, epochs=60)
    dense = full.card("baseline", training=trained, seed=2, epochs=60)
    full.run.baseline_card.write_text(dense.to_json(), encoding="utf-8")
    text = page(full)[1].text
    settings = text.partition("Training settings what value")[2]
    assert "data MIT-BIH Arrhythmia Database" in settings
    assert "seed baseline: 2; fine-tuning: 0" in settings
    assert "baseline: epochs, seed 60, 2" in text
    assert "epochs baseline: 60; fine-tuning:" in settings
    assert "data none" not in text


def test_measured_layer_costs_are_named_and_not_spelled_out(full: Builder) -> None:
    assert "layer costs counted" in page(full)[1].text
    costs = MeasuredCosts(
        model="resnet1d_attn",
        device="raspberry-pi-4",
        emulated=True,
        runtime="onnxruntime 1.0",
        threads=1,
        layers={"stem": LayerSeconds(own_s=1.25e-4, after_s=0, macs=1, activation_bytes=1)},
        fixed_s=1e-6,
        artifact_sha256="2" * 64,
        bench_sha256="3" * 64,
    )
    log = full.log()
    timed = log.model_copy(update={"config": log.config.model_copy(update={"costs": costs})})
    full.run.compression_log.write_text(timed.to_json(), encoding="utf-8")
    text = page(full)[1].text
    assert "seconds of the dense model's layers on raspberry-pi-4, emulated, onnxruntime" in text
    assert "3" * 64 in text
    assert "own_s" not in text


def test_hostile_names_are_text_in_tables_and_figures(full: Builder) -> None:
    hostile = "<script>alert(1)</script>$x_1$&\"'\x1b"
    full.write_manifest(full.manifest("compressed", target=hostile, file="a<b>.tflite"))
    card = full.card("compressed", name=hostile, notice=hostile)
    full.run.model_card.write_text(card.to_json(), encoding="utf-8")
    full.write_bench(
        full.result(full.manifest("baseline"), device=device(name=hostile), runtime=hostile),
        name="hostile",
    )
    html, parsed = page(full)
    # The two blocks of data, and the page's own script.
    assert sum(tag == "script" for tag, _ in parsed.tags) == 3
    assert "<script>alert" not in html
    assert "<script>alert(1)</script>$x_1$" in parsed.text
    assert not parsed.open


def test_emulated_times_are_always_marked(full: Builder) -> None:
    emulated = device(name="raspberry-pi-4", emulated=True)
    full.write_bench(
        full.result(full.manifest("baseline"), 42e-3, device=emulated),
        full.result(full.manifest("compressed", "int8"), 11e-3, device=emulated),
    )
    html, parsed = page(full)
    assert "42.0 ms emulated" in parsed.text
    assert "Emulated: these times are from an emulator and not from the board." in parsed.text
    cells = re.findall(r"<td[^>]*>(\d[^<]*\N{NO-BREAK SPACE}ms[^<]*)</td>", html)
    assert cells
    assert all("emulated" in cell for cell in cells if cell.startswith(("42.0", "11.0")))


def test_replayed_energy_is_marked(full: Builder) -> None:
    full.write_bench(
        full.result(full.manifest("compressed", "int8"), energy=joules(3e-3, replayed=True))
    )
    _, parsed = page(full)
    assert "3.00 mJ (replayed)" in parsed.text


def test_warnings_of_a_measurement_are_notes_of_its_table(full: Builder) -> None:
    report = bench(full.result(full.manifest("baseline")), full.result(full.manifest("compressed")))
    disturbed = report.model_copy(update={"warnings": ("The machine is busy.",)})
    (full.run.bench / "bench.json").write_text(disturbed.to_json(), encoding="utf-8")
    text = page(full)[1].text
    assert text.count("Warning (bench.json): The machine is busy.") == 1


def test_energy_that_is_not_resolved_has_no_joules(full: Builder) -> None:
    unclear = joules(-2e-7, tier="not resolved", reason="Below twice the detection limit.")
    full.write_bench(full.result(full.manifest("compressed", "int8"), energy=unclear))
    _, parsed = page(full)
    assert "not resolved [1]" in parsed.text
    assert "200 nJ" not in parsed.text


def test_missing_figures_are_words(full: Builder) -> None:
    full.write_bench(
        full.result(
            full.manifest("compressed", test=None),
            breakdown=Breakdown(
                empty_graph_s=None,
                peak_macs_per_s=None,
                roofline_s=None,
                rest_s=None,
                reason="No peak is known.",
            ),
            energy=no_energy(),
            proxy=Proxy(
                ideal=None, executed=None, macs=None, weight_bytes=None, reason="Not counted."
            ),
            memory=Memory(peak_rss_bytes=None, reason="No counter."),
            parity=Parity(n=None, max_abs_diff=None, label_agreement=None, reason="No probe set."),
            latency=latency(1e-3, samples_s=(), pinned_cpu=None),
        )
    )
    _, parsed = page(full)
    assert not re.search(r"\bNone\b", parsed.text)
    for reason in ("No peak is known.", "No counter.", "No probe set."):
        assert reason in parsed.text


@pytest.mark.parametrize("missing", ["baseline.json", "compression.json"])
def test_a_run_with_a_part_missing_still_has_a_page(full: Builder, missing: str) -> None:
    (full.run.path / missing).unlink()
    _, parsed = page(full)
    assert f"{missing} is missing. Copy it from where the run was made, or run:" in parsed.text
    assert "edgeecg compress resnet1d_attn" in parsed.text


def test_a_run_that_was_not_exported_still_has_a_page(build: Callable[..., Builder]) -> None:
    builder = build()
    builder.write_models()
    _, parsed = page(builder)
    assert f"edgeecg export --run {builder.run.path} --target tflite" in parsed.text
    assert "No exported file yet" in parsed.text


def test_records_for_training_and_testing_are_a_warning(full: Builder) -> None:
    card = full.card("compressed")
    data = card.data.model_copy(update={"train_records": ("100", "101")})
    full.run.model_card.write_text(
        card.model_copy(update={"data": data}).to_json(), encoding="utf-8"
    )
    _, parsed = page(full)
    assert "NOT inter-patient" in parsed.text
    assert "Records 100 were used for training and for testing" in parsed.text


def test_the_same_run_gives_the_same_page(full: Builder) -> None:
    assert page(full)[0] == page(full)[0]


def test_a_tie_is_called_one() -> None:
    assert tables.change(-0.004, (-0.008, 0.002)).endswith("a tie")
    assert tables.change(-0.052, (-0.096, 0.024)).endswith("not resolved")
    assert tables.change(0.0, (0.0, 0.0)).endswith("identical")
    assert tables.change(-0.02, (-0.03, -0.01)).endswith("]")


def test_steps_that_were_rolled_back_are_counted(full: Builder) -> None:
    rollback = Rollback(
        attempt=6,
        after_step=5,
        progress=1.0,
        broken={"S:recall>=0.5": 0.41},
        nonzero_parameters=31_000,
        weight_bytes=124_000,
        proxy_executed=0.2,
        seconds=40.0,
    )
    ended = full.log().model_copy(update={"rollbacks": (rollback,), "stopped": "The guard breaks."})
    full.run.compression_log.write_text(ended.to_json())
    text = page(full)[1].text
    note = (
        "1 more steps broke a guard and were rolled back; the smallest model had 31,000 non-zero "
        "parameters"
    )
    assert note in text
    assert "The guard breaks." in text
