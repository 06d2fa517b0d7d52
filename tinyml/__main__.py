"""`python -m tinyml` is the `tinyml` command."""

from .cli import main

main()
