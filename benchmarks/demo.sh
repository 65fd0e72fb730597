#!/bin/sh
# The whole path on generated records, small enough for two cores and a few minutes.
# Run by `make demo`; BIN is the folder of the virtual environment's programs.
set -eu
edgeecg="${BIN:?set BIN to the folder that holds the edgeecg program}/edgeecg"
name="demo-$(date +%Y%m%d-%H%M%S)"

"$edgeecg" compress --data synthetic --name "$name" \
    --epochs 3 --epoch-windows 3000 --steps 3 --finetune-epochs 1
"$edgeecg" export --run "$name" --target tflite --target tflite-int8
"$edgeecg" bench --run "$name" --suite quick
"$edgeecg" report --run "$name"
