"""Which machine this is, and the state it is in."""
