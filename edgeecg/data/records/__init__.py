"""WFDB records: reading them, listing those of a folder, their beat classes, pictures."""
