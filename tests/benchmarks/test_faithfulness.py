import pytest

from benchmarks.faithfulness import main


def test_an_unknown_network_is_one_sentence_before_anything_is_measured(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--networks", "demo,resnet"])
    assert ended.value.code == 2
    shown = capsys.readouterr()
    assert "There is no network 'resnet'; there are demo," in shown.err
    assert shown.out == ""
