"""From raw samples to a model's window, sample by sample; the same code trains and serves."""
