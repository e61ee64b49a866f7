"""`python -m receiver` is `yizhan`."""

from receiver.cli import main

main()
