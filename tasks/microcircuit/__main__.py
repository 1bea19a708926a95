"""The task on the command line: ``python -m tasks.microcircuit``."""

from tasks.command_line import parse
from tasks.microcircuit.run import Config, main

if __name__ == "__main__":
    main(parse(Config))
