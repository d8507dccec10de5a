"""How a command ends that is interrupted."""

import os
import signal

import pytest

from cli import exit_codes, progress

SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_becomes_the_exit_code_that_is_documented(number, code, monkeypatch):
    """The last line says how to resume; afterwards the signal is handled as before."""
    calls, before = [], signal.signal(number, signal.SIG_DFL)  # the tests may run under nohup
    monkeypatch.setattr(exit_codes, "leave", lambda *arguments: calls.append(arguments))
    try:
        with exit_codes.interruptible("Do it again"):
            os.kill(os.getpid(), number)
        assert [(code, "interrupted. Do it again")] == calls
        assert signal.SIG_DFL == signal.getsignal(number)
    finally:
        signal.signal(number, before)


def test_a_command_under_nohup_outlives_its_terminal(monkeypatch):
    """A hang-up that the caller ignores stays ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with exit_codes.interruptible("Do it again"):
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.SIG_IGN == signal.getsignal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_terminal_that_is_gone_does_not_hide_an_interruption(monkeypatch):
    """Its last progress bar cannot be written; the command still ends as after any signal."""
    calls = []
    monkeypatch.setattr(exit_codes, "leave", lambda *arguments: calls.append(arguments))
    monkeypatch.setattr(progress.Progress, "stop", lambda _: os.write(-1, b""))
    with exit_codes.interruptible("Do it again"), progress.display(None):
        signal.raise_signal(signal.SIGTERM)
    assert [(143, "interrupted. Do it again")] == calls
