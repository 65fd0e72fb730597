"""Int8 simulated in PyTorch: fake quantisation, sensitivity of layers, fine-tuning for int8."""
