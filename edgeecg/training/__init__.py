"""Training a model: sampling of windows, augmentation, losses, the loop, checkpoints, cards."""
