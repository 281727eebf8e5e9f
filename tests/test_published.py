import pytest
from hypothesis import given
from hypothesis import strategies as st

from residua.errors import ResiduaError, UsageError
from residua.published import published, read

SMALL = """
[source.he2015]
title = "Deep Residual Learning for Image Recognition"
authors = "He, Zhang, Ren, Sun"
year = 2015
url = "https://arxiv.org/abs/1512.03385"
[evidence.text]
what = "full text"
[[table]]
id = "t"
source = "he2015"
where = "Table 6"
title = "CIFAR-10"
dataset = "CIFAR-10"
{trust}
rows = [{{ model = "ResNet-20", err = 8.75{row} }}]
"""


@pytest.mark.parametrize(
    ("trust", "row", "status"),
    [
        ('verified = true\nevidence = ["text"]', "", "verified"),
        ('verified = false\nevidence = ["text"]', "", "unconfirmed"),
        ('evidence = ["text"]', "", "unconfirmed"),
        ("", "", "unconfirmed"),
        ("verified = true", "", "unconfirmed"),
        ("verified = true\nevidence = []", "", "unconfirmed"),
        ('verified = true\nevidence = ["hearsay"]', "", "unconfirmed"),
        ('verified = true\nevidence = ["text", "hearsay"]', "", "unconfirmed"),
        ('verified = "true"\nevidence = ["text"]', "", "unconfirmed"),
        ('verified = 1\nevidence = ["text"]', "", "unconfirmed"),
        ('verified = true\nevidence = ["text"]', ", verified = false", "unconfirmed"),
        ('verified = false\nevidence = ["text"]', ", verified = true", "verified"),
        ("", ", verified = true", "unconfirmed"),
    ],
)
def test_only_what_was_seen_in_named_evidence_counts_as_verified(trust, row, status):
    (found,) = read(SMALL.format(trust=trust, row=row)).table("t").rows
    assert found.status == status
    assert dict(found.values) == {"err": 8.75}, "how far a row is to be trusted is not one of its figures"


def test_a_row_inherits_from_its_table_and_may_say_otherwise():
    inherits = read(SMALL.format(trust="", row="")).table("t").rows[0]
    own = read(SMALL.format(trust="", row=', dataset = "CIFAR-100"')).table("t").rows[0]
    assert (inherits.dataset, own.dataset) == ("CIFAR-10", "CIFAR-100")
    assert "dataset" not in own.values


def test_what_is_packaged():
    found = published()
    assert str(found.table("he2015.t6")) == "He et al. 2015, Table 6"
    errors = {row.model: row.values["err"] for row in found.table("he2015.t6").rows}
    assert errors["ResNet-20"] == 8.75
    assert errors["ResNet-110"] == 6.43
    assert len({table.id for table in found.tables.values()}) == len(found.tables)
    assert "four-stages-halve" in found.misquotes
    assert "plain-110" in found.observations
    assert found.weights


def test_what_is_packaged_says_how_far_it_was_verified():
    found = published()
    he = [row for name, table in found.tables.items() if name.startswith("he201") for row in table.rows]
    assert {row.status for row in he} == {"verified"}
    from_memory = {name for name, table in found.tables.items() if table.rows[0].status == "unconfirmed"}
    assert {"vit.t5_mem", "hara.top15_mem", "resnest.paper_mem"} <= from_memory
    assert {counted.model for counted in found.counts} >= {"resnet50", "wrn_28_10", "vit_b_16"}


def test_it_is_read_once():
    assert published() is published()


def test_an_unknown_table_gets_the_nearest_name():
    with pytest.raises(UsageError, match=r"no published table 'he2015\.t66'; did you mean 'he2015\.t6'"):
        published().table("he2015.t66")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "not valid TOML"),
        ("[[table]]\nid = 'x'", "damaged: KeyError"),
        ("[[table]]\nid='x'\nwhere=''\ntitle=''\nsource='nobody'\nrows=[]", "KeyError at 'nobody'"),
        ("table = 3", "damaged: TypeError"),
        ("source = 3", "damaged: AttributeError"),
    ],
)
def test_a_damaged_file_is_one_line(text, message):
    with pytest.raises(ResiduaError, match=message) as caught:
        read(text)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text):
    try:
        read(text)
    except ResiduaError as error:
        assert "published figures" in str(error)


def test_the_whole_collection_of_the_project_can_be_read(shared):
    found = read((shared / "published.toml").read_text(encoding="utf-8"))
    statuses = {row.status for table in found.tables.values() for row in table.rows}
    assert statuses == {"verified", "unconfirmed"}
    assert set(published().tables) <= set(found.tables)
    for name, table in published().tables.items():
        theirs = [dict(row.values) for row in found.tables[name].rows]
        assert all(dict(row.values) in theirs for row in table.rows), name
