"""``python -m edgeecg``: the same as the command ``edgeecg``."""

from edgeecg.cli import main

if __name__ == "__main__":
    main()
