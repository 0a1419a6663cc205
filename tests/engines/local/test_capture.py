"""What trials print: kept, bounded, readable while they run."""

from __future__ import annotations

import os

import pytest

from hpo_widgets.engines.local.capture import CUT_AT, HEAD, TAIL, Capture
from hpo_widgets.trials import TrialState


def test_what_a_trial_prints_is_its_own(drive):
    def train(x):
        import sys

        if x:
            print(f"out {x}")
            print(f"err {x}", file=sys.stderr)
        return x

    driver = drive(train)
    outcomes = [driver.run(x, x=x) for x in range(3)]
    assert [(o.stdout, o.stderr) for o in outcomes] == [("", ""), ("out 1\n", "err 1\n"), ("out 2\n", "err 2\n")]


def test_output_of_compiled_code_and_of_children_is_kept(drive):
    def train():
        import os
        import subprocess

        os.write(1, b"compiled\n")
        subprocess.run(["sh", "-c", "echo child; echo wrong >&2"], check=True)

    outcome = drive(train).run()
    assert outcome.stdout == "compiled\nchild\n"
    assert outcome.stderr == "wrong\n"


def test_a_failed_trial_keeps_what_it_printed(drive):
    def train():
        print("before")
        raise ValueError

    assert drive(train).run().stdout == "before\n"


@pytest.mark.parametrize("end", [b"\n", b""], ids=["in lines", "without a newline"])
def test_a_trial_that_prints_without_end_is_bounded_and_can_be_aborted(drive, end):
    def train(trial):
        import os

        os.write(1, b"first\n")
        trial.report_scalar("is", "running", 1, 0)
        line = b"x" * 65535 + end
        while True:
            os.write(1, line)

    driver = drive(train)
    driver.launch(0)
    driver.reported(0)
    stdout = driver.engine._workers[0].process.stdout
    driver.until(lambda: stdout.is_cut, "the first cut")
    sizes = []
    driver.until(lambda: sizes.append(os.fstat(stdout.fd).st_size) or len(sizes) > 20)
    driver.engine.abort(0, 0.05)
    outcome = driver.ended(0)
    assert outcome.stdout.startswith("first\n")
    assert "bytes left out" in outcome.stdout
    assert len(outcome.stdout) < HEAD + TAIL + 100
    assert driver.engine.free() == 1


def test_output_of_one_trial_never_shows_in_the_next(drive):
    def train(x):
        print(str(x) * (3 << 20) if x == 1 else x)
        return x

    driver = drive(train)
    assert "bytes left out" in driver.run(1, x=1).stdout
    assert driver.run(2, x=2).stdout == "2\n"


def test_the_log_of_a_running_trial_can_be_read(drive, tmp_path):
    def train():
        import sys
        import time
        from pathlib import Path

        print("epoch 1")
        print("careful", file=sys.stderr)
        while not Path("go").exists():
            time.sleep(0.005)

    driver = drive(train)
    driver.launch(0)
    driver.until(lambda: "careful" in driver.engine.log(0), "the log")
    assert driver.engine.log(0) == "epoch 1\ncareful"
    (tmp_path / "go").touch()
    assert driver.ended(0).stdout == "epoch 1\n"
    assert driver.engine.log(0) == ""


def test_a_trial_that_replaces_or_closes_stdout_harms_no_other(drive):
    def train(how):
        import io
        import os
        import sys

        print("before")
        if how == "replace":
            sys.stdout = io.StringIO()
        elif how == "close":
            sys.stdout.close()
        elif how == "close fd":
            os.close(1)
        return 1.0

    driver = drive(train)
    for number, how in enumerate(["replace", "close", "close fd", "none"]):
        outcome = driver.run(number, how=how)
        assert outcome.state == TrialState.COMPLETED
        assert outcome.stdout == "before\n"


def test_bytes_that_are_no_text_are_shown_as_such(drive):
    def train():
        import os

        os.write(1, b"\xff\xfe ok")

    assert drive(train).run().stdout == "\ufffd\ufffd ok"


def test_a_capture_counts_what_it_leaves_out():
    capture = Capture()
    try:
        total = 0
        for letter in b"abc":
            os.write(capture.fd, bytes([letter]) * (CUT_AT + 1))
            total += CUT_AT + 1
            assert capture.cut()
            assert not capture.cut()
            assert os.fstat(capture.fd).st_size == 0
        os.write(capture.fd, b"end")
        total += 3
        head, middle, tail = capture.text().split("\n")
        assert head == "a" * HEAD
        assert tail == "c" * (TAIL - 3) + "end"
        assert middle == f"… {total - HEAD - TAIL} bytes left out …"
        assert capture.take().endswith("end")
        assert capture.text() == ""
    finally:
        capture.close()


def test_output_just_within_the_bound_is_whole():
    capture = Capture()
    try:
        os.write(capture.fd, b"x" * (HEAD + TAIL))
        assert capture.take() == "x" * (HEAD + TAIL)
        os.write(capture.fd, b"y" * (HEAD + TAIL + 1))
        assert "… 1 bytes left out …" in capture.take()
    finally:
        capture.close()
