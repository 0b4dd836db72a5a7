"""``python -m ebank_lib``: the command ``ebank``."""

from .cli import main

raise SystemExit(main())
