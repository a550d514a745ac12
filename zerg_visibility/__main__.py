"""`python -m zerg_visibility`: the same as the command `zerg-visibility`."""

import sys

from zerg_visibility.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
