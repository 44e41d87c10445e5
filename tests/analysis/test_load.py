"""Reading exports and tidy files: what is odd is noted, what is unreadable is one sentence."""

import pandas as pd
import pytest

from analysis.errors import AnalysisError
from analysis.load import read_export, read_tidy
from analysis.sample import draw_sample


def test_a_sound_export_leaves_no_notes(frames, export):
    study = read_export(export(frames(12)))
    assert study.notes == []
    assert set(study.files) == {"participants.csv", "answers.csv", "codes.csv", "plan.json"}
    assert list(study.participants["heatmap"].cat.categories) == ["none", "lrp", "multiscale"]
    assert study.participants["heatmap"].notna().all()
    sample = draw_sample(study)
    assert sample.notes == []
    assert len(sample.participants) == 12
    assert sample.source == "real"


def test_the_level_none_is_a_level_and_not_a_gap(frames, export):
    # pandas reads several spellings of "none" as missing unless told otherwise.
    sample = draw_sample(read_export(export(frames(12))))
    assert (sample.participants["heatmap"] == "none").sum() == 4


def test_accuracy_is_counted_from_the_answers(frames, export):
    tables = frames(6)
    people, answers = tables["participants"], tables["answers"]
    people.loc[0, "n_correct"] += 1
    answers.loc[answers["participant_id"] == "p001", "correct"] = "true"
    sample = draw_sample(read_export(export(tables)))
    accuracy = sample.participants.set_index("participant_id")["accuracy"]
    assert accuracy["p001"] == 1
    assert accuracy["p000"] == pytest.approx((people.loc[0, "n_correct"] - 1) / 14)
    assert any("n_correct differs" in note for note in sample.notes)


@pytest.mark.parametrize(
    ("table", "column", "value", "said"),
    [
        ("participants", "heatmap", "gradcam", "the plan does not know (gradcam): 1 participant"),
        ("answers", "confidence", "7", "confidence outside 1 to 4"),
        ("answers", "correct", "perhaps", "neither true nor false"),
        ("answers", "predicted", "flip", "neither true nor false"),
        ("codes", "group", "else", "group other than"),
        ("participants", "participant_id", "", "without participant_id"),
    ],
)
def test_odd_values_are_noted(frames, export, table, column, value, said):
    tables = frames(12)
    tables[table][column] = tables[table][column].astype(object)
    tables[table].loc[0, column] = value
    assert any(said in note for note in read_export(export(tables)).notes)


def test_a_correct_that_contradicts_the_answer_is_noted(frames, export):
    tables = frames(6)
    answers = tables["answers"]
    answers.loc[0, "correct"] = "false" if answers.loc[0, "correct"] == "true" else "true"
    assert any("contradicts" in note for note in read_export(export(tables)).notes)


def test_repeated_rows_count_once(frames, export):
    tables = frames(12)
    doubled = {name: pd.concat([table, table.head(3)]) for name, table in tables.items()}
    once = draw_sample(read_export(export(tables)))
    study = read_export(export(doubled))
    twice = draw_sample(study)
    assert sum("repeat" in note for note in study.notes) == 3
    assert twice.participants["accuracy"].tolist() == once.participants["accuracy"].tolist()


def test_simulated_participants_stand_in_only_where_no_real_one_completed(frames, export):
    bots = frames(6, source="bot")
    sample = draw_sample(read_export(export(bots)))
    assert (sample.source, sample.simulated, len(sample.participants)) == ("bot", True, 6)
    bots["participants"].loc[0, "source"] = "real"
    mixed = draw_sample(read_export(export(bots)))
    assert (mixed.source, mixed.simulated, len(mixed.participants)) == ("real", False, 1)
    assert any("5 bot" in note for note in mixed.notes)
    chosen = draw_sample(read_export(export(bots)), source="bot")
    assert (chosen.source, len(chosen.participants)) == ("bot", 5)


def test_without_a_plan_factors_come_from_the_columns(frames, export):
    study = read_export(export(frames(12), None))
    assert study.plan.factors["heatmap"] == ("none", "lrp", "multiscale")
    assert "plan.json is missing" in study.notes[0]


@pytest.mark.parametrize(
    "content", [b"\x89PNG\r\n\x1a\n\xff\xfe", b"", b'a,b\n"unfinished', b"a,b\n1,2,3\n"]
)
def test_an_unreadable_file_is_one_sentence_with_its_name(frames, export, content):
    folder = export(frames(6))
    (folder / "answers.csv").write_bytes(content)
    with pytest.raises(AnalysisError, match=r"answers\.csv") as error:
        read_export(folder)
    assert "\n" not in str(error.value)


def test_a_folder_without_tables_is_no_export(tmp_path):
    with pytest.raises(AnalysisError, match=r"neither participants\.csv nor answers\.csv"):
        read_export(tmp_path)


@pytest.mark.parametrize(
    ("table", "column"), [("participants", "heatmap"), ("answers", "task"), ("codes", "task")]
)
@pytest.mark.parametrize("space", ["", " "])
def test_two_columns_of_one_name_are_named(frames, export, table, column, space):
    folder = export(frames(6))
    path = folder / f"{table}.csv"
    head, _, rest = path.read_text().partition("\n")
    lines = [f"{head},{column}{space}", *(f"{line},x" for line in rest.splitlines())]
    path.write_text("\n".join(lines))
    with pytest.raises(AnalysisError, match=f"{table}.csv has more than one column '{column}'"):
        read_export(folder)


def test_columns_without_a_name_are_no_repetition(frames, export):
    folder = export(frames(6))
    path = folder / "codes.csv"
    path.write_text("".join(f"{line},,\n" for line in path.read_text().splitlines()))
    codes = read_export(folder).codes
    assert list(codes) == ["participant_id", "task", "code", "group"]
    assert len(codes)


def test_the_plans_participant_column_goes_before_another_of_that_name(frames, export, plan):
    tables = frames(6)
    for table in tables.values():
        table["who"] = table["participant_id"].str.upper()
    plan["participant"] = "who"
    sample = draw_sample(read_export(export(tables, plan)))
    assert sorted(sample.participants["participant_id"]) == [f"P00{i}" for i in range(6)]
    assert len(sample.answers) == 6 * 14


@pytest.mark.parametrize("column", ["n_tasks", "n_correct"])
def test_impossible_counts_are_noted(frames, export, column):
    tables = frames(12)
    tables["participants"][column] = tables["participants"][column].astype(float)
    tables["participants"].loc[0, column] = 1e308
    study = read_export(export(tables))
    assert study.participants[column].isna().sum() == 1
    assert any(f"have a {column} outside 0 to 10000" in note for note in study.notes)


@pytest.fixture
def tidy(tmp_path):
    def write(text: str, name: str = "tidy.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_repeated_rows_of_a_participant_are_averaged(tidy):
    path = tidy("id,group,score\na,x,1\na,x,3\nb,y,5\nc,x,\nd,y,7\n")
    data = read_tidy(path, outcome="score", factors=["group"], participant="id")
    assert data.frame.set_index("participant_id")["score"].to_dict() == {"a": 2, "b": 5, "d": 7}
    assert any("1 of 5 rows" in note for note in data.notes)


def test_levels_that_are_numbers_are_ordered_as_numbers(tidy):
    rows = "".join(f"{level};{level}\n" for level in (10, 2, 1))
    data = read_tidy(tidy("dose;score\n" + rows), outcome="score", factors=["dose"])
    assert data.plan.factors["dose"] == ("1", "2", "10")


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("id,g,v\na,x,1\nb,y,2\n", {"outcome": "w"}, "no column 'w'; it has id, g, v"),
        ("id,g,v\na,x,one\nb,y,two\n", {}, "holds no numbers"),
        ("id,g,v\na,x,1\nb,x,2\n", {}, "has 1 levels"),
        ("id,g,v\na,x,1\na,y,2\n", {}, "'a' is in several conditions"),
        ("id,g,v\na,x,1\nb,y,2\n", {"factors": ["g", "g"]}, "different columns"),
        ("id,g,v\na,x,1\nb,y,2\n", {"factors": ["v"]}, "outcome and a factor"),
        ("id,g,v\na,x,1\nb,y,2\n", {"participant": "g"}, "the participant and an outcome"),
        ("id,g,v,v \na,x,1,1\nb,y,2,2\n", {}, "more than one column 'v'"),
        ("id,g,v,v\na,x,1,1\nb,y,2,2\n", {}, "more than one column 'v'"),
        ("id,g,v\na,x,1e308\nb,y,2\n", {}, "'v' holds numbers beyond 1e.100"),
        ("id,g,v\na,x,-1e101\nb,y,2\n", {}, "'v' holds numbers beyond 1e.100"),
        ("id,mean,v\na,x,1\nb,y,2\n", {"factors": ["mean"]}, "'mean' has a name that the report"),
        (
            "participant_id,g,v\n1,x,1\n2,y,2\n",
            {"participant": None, "outcome": "participant_id"},
            "'participant_id' has a name that the report",
        ),
    ],
)
def test_a_tidy_file_that_cannot_be_used_is_one_sentence(tidy, text, options, said):
    with pytest.raises(AnalysisError, match=said):
        read_tidy(tidy(text), **({"outcome": "v", "factors": ["g"], "participant": "id"} | options))
