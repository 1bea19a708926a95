"""The task on the command line: ``python -m tasks.reward``."""

from tasks.command_line import parse
from tasks.reward.run import Config, main

if __name__ == "__main__":
    main(parse(Config))
