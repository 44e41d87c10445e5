"""What a file may hold beside a spec: each is one sentence with its place, none a traceback."""

import pytest

from studyplatform.studies.spec import SpecError, load
from studyplatform.studies.spec.plain_yaml import PlainYamlError
from studyplatform.studies.spec.plain_yaml import load as load_yaml

BOMB = "a: &a [x, x]\n" + "".join(
    f"{new}: &{new} [*{old}, *{old}, *{old}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (BOMB, "line 1, column 4: anchors"),
        ("a: !!int abc\n", "line 1, column 4: tags"),
        ("a: !!binary YQ==\n", "line 1, column 4: tags"),
        ("a: !!python/object/apply:os.system ['true']\n", "line 1, column 4: tags"),
        ("pay: 1\ntitle: a\npay: 2\n", "line 3, column 1: the key 'pay' comes a second time"),
        ("a: " + "[" * 1500, "nested more than 20 deep"),
        ("a: " + "9" * 5000, "a number cannot be read"),
        ("a: {b: .inf}", "a.b: is inf; expected a finite number"),
        ("a: [x, .nan]", "a.1: is nan"),
        ('title: "a\\0b"', "title: holds a character that is none"),
        ('title: "\\ud800"', "title: holds a character that is none"),
        ("? [a]\n: 1\n", "a key is a word"),
        ("x" * 1_000_001, "over 1,000,000 characters"),
        ("a: [b\n", "this is no YAML"),
    ],
)
def test_what_a_spec_never_needs_is_named(text: str, sentence: str) -> None:
    with pytest.raises(PlainYamlError) as caught:
        load_yaml(text)
    assert sentence in str(caught.value)
    with pytest.raises(SpecError) as refused:
        load(text)
    assert refused.value.problems == [str(caught.value)]


def test_plain_data_is_read_as_it_stands() -> None:
    text = "title: 2020-13-45\non: [1, 2.5, yes, null, 'ü']\ndeep: {a: {b: |\n  line\n}}\n"
    assert load_yaml("title: 2020-13-45\nlist: [1, 2.5, yes, null, 'ü', 2020-01-01]\n") == {
        "title": "2020-13-45",
        "list": [1, 2.5, True, None, "ü", "2020-01-01"],
    }
    with pytest.raises(PlainYamlError):
        load_yaml(text)  # a block text inside braces is no YAML
