"""Files that hold no recordings are refused with what to do."""

import pytest

from conex_nn.data import read_events


def test_a_file_of_another_kind(tmp_path):
    (tmp_path / "c.npz").write_text("hello")
    with pytest.raises(ValueError, match=r"c.npz' to be an .npz file as `write_events` makes it.*`read_recording`"):
        read_events(tmp_path / "c.npz")
    with pytest.raises(FileNotFoundError, match="a data set of events, got no file at"):
        read_events(tmp_path / "none.npz")
