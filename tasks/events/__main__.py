"""The task on the command line: ``python -m tasks.events``."""

from tasks.command_line import parse
from tasks.events.run import Config, main

if __name__ == "__main__":
    main(parse(Config))
