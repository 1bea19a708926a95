"""The task on the command line: ``python -m tasks.balanced``."""

from tasks.balanced.run import Config, main
from tasks.command_line import parse

if __name__ == "__main__":
    main(parse(Config))
