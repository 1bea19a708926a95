"""The task on the command line: ``python -m tasks.attention``."""

from tasks.attention.run import Config, main
from tasks.command_line import parse

if __name__ == "__main__":
    main(parse(Config))
