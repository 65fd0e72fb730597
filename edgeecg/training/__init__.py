"""Fitting a model to windows: balanced draws, augmentation, losses, the loop, scores."""
