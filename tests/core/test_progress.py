from skillgym_envs.core.progress import progress_bar


def test_what_is_no_terminal_gets_few_lines(capsys):
    with progress_bar(total=1000) as bar:
        for _ in range(1000):
            bar.set_postfix(loss="1", refresh=False)
            bar.update()
    assert capsys.readouterr().err.count("\r") == 2  # at 0 and at the end


def test_a_bar_without_progress_is_redrawn_when_its_interval_is_over(capsys):
    with progress_bar(total=2) as bar:
        bar.update()
        bar.update(0)
        assert capsys.readouterr().err.count("\r") == 1
        bar.mininterval = 0.0
        bar.update(0)
        assert "1/2" in capsys.readouterr().err
