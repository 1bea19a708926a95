"""The task on the command line: ``python -m tasks.features``."""

from tasks.command_line import parse
from tasks.features.run import Config, main

if __name__ == "__main__":
    main(parse(Config))
