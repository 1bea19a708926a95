"""What the tests of training share."""

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    """Keep these tiny products on one thread: where others use the processors, two wait 10 ms for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
