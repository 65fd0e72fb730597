"""The command ``edgeecg``, and ``python -m edgeecg``."""

import sys


def main() -> None:
    """Run the command line and exit; Ctrl-C while it is still being imported exits with 130."""
    try:
        from edgeecg import cli
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted.\n")
        sys.exit(130)
    cli.main()


if __name__ == "__main__":
    main()
