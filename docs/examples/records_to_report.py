"""From records to a report with the Python API: train, compress, export, measure, compare.

The records are synthetic, so that the script runs anywhere in about two minutes; put the name of a
database, such as ``"mitdb"``, or the path of a folder of WFDB records in the place of
``"synthetic"``. Everything is written to ``runs/`` in the current folder.
"""

from __future__ import annotations

import edgeecg


def main() -> None:
    """Run every stage, and print one line for each."""
    dataset = edgeecg.load_dataset("synthetic")
    print(f"{len(dataset.train.y):,} training beats, classes {dataset.summary.classes}")

    card = edgeecg.train(
        "cnn1d", data="synthetic", name="example-dense", epochs=1, epoch_windows=2000
    )
    print(f"dense model: {card.parameters:,} parameters, macro-F1 {card.test.macro_f1:.3f}")

    log = edgeecg.compress(
        start="example-dense",
        name="example",
        budget={"energy": 0.5},
        finetune_epochs=1,
        epoch_windows=2000,
        on_step=lambda step: print(f"  a step ends at {step.nonzero_parameters:,} parameters"),
    )
    print(f"compressed: executed proxy {log.steps[-1].proxy_executed:.3f} of the dense model's")

    artifacts = edgeecg.export("example", targets=["tflite"])
    for artifact in artifacts:
        print(f"{artifact.file}: {artifact.size_bytes:,} bytes")

    measured = edgeecg.bench(run="example", suite="quick", meter="none")
    for result in measured.results:
        print(f"{result.artifact.file}: p50 {result.latency.p50_s * 1e6:.0f} µs")

    compared = edgeecg.report("example")
    print(f"report of {len(compared.files)} files: {edgeecg.load_run('example').folder.report}")


if __name__ == "__main__":
    main()
