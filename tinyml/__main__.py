"""The `tinyml` command, also as `python -m tinyml`."""

import signal


def main() -> None:
    """Load the commands and run one; Ctrl-C in the meantime ends the program without a word."""
    usual = signal.getsignal(signal.SIGINT)
    if usual is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # there is nothing to clean up yet
    from .cli import main as run

    signal.signal(signal.SIGINT, usual)
    run()


if __name__ == "__main__":
    main()
