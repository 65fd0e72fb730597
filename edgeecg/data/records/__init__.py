"""Reading WFDB records."""
