"""What a model says of windows, and how well that matches the annotations."""
