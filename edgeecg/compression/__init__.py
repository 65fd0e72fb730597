"""The compression pipeline: pruning, distillation and quantisation under budgets and guards."""
