"""What verbs print: tables that fit a terminal and plain lines elsewhere, of names that mean no harm and look it."""

from residua.cli.say import say_table

ROWS = [["[red]a  b", "1"], ["c\x1b[2J", "1,000"]]


def test_elsewhere_a_table_is_plain_aligned_lines_with_names_as_they_are(capsys):
    say_table(("run", "n"), ROWS, right=(1,))
    assert capsys.readouterr().out.splitlines() == [
        "run             n",
        "[red]a  b       1",
        "c\\u001b[2J  1,000",
    ]


def test_on_a_terminal_brackets_are_no_markup_and_the_terminal_obeys_nothing(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    say_table(("run", "n"), ROWS, right=(1,))
    shown = capsys.readouterr().out
    assert "[red]a  b" in shown and "c\\u001b[2J" in shown and "1,000" in shown
    assert "\x1b" not in shown.replace("\x1b[1m", "").replace("\x1b[0m", "")
