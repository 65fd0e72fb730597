#!/bin/sh
# The whole path on generated records, small enough for two cores and a few minutes.
# Run by `make demo`; BIN is the folder of the virtual environment's programs.
set -eu
edgeecg="${BIN:?set BIN to the folder that holds the edgeecg program}/edgeecg"
name="demo-$(date +%Y%m%d-%H%M%S)"

if "$BIN/python" -c 'import sys; from importlib.util import find_spec as f
sys.exit(not (f("torch") and f("litert_torch")))'; then
    "$edgeecg" compress --data synthetic --name "$name" \
        --epochs 3 --epoch-windows 3000 --steps 3 --finetune-epochs 1
    "$edgeecg" export --run "$name" --target tflite --target tflite-int8
else
    echo "Models cannot be compressed or converted on this machine: PyTorch and litert-torch are not"
    echo "installed. The demo measures a small run of synthetic records that is shipped."
    mkdir -p runs
    cp -R "$(dirname "$0")/demo_run" "runs/$name"
fi
"$edgeecg" bench --run "$name" --suite quick
"$edgeecg" report --run "$name"
