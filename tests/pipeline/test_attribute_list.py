"""Lists of attributes as CelebA's authors and Kaggle's copies write them."""

import numpy as np
import pytest

from singanimation.pipeline.datasets.attributes import NO, UNKNOWN, YES, read_attributes
from singanimation.pipeline.errors import DatasetError

_HEADER = "5_o_Clock_Shadow Bangs Eyeglasses Goatee Mustache No_Beard Smiling"


def written(path, text):
    path.write_text(text)
    return path


def test_the_authors_text(tmp_path):
    rows = ["000001.jpg -1 1 -1 -1 -1 1 1", "000002.jpg  1 -1 -1 -1 -1 1 -1", "000003.jpg -1 -1  1 -1 -1 -1 -1"]
    listed = read_attributes(written(tmp_path / "list_attr_celeba.txt", "\n".join(["3", _HEADER, *rows, ""])))
    names = ["000001.jpg", "000002.png", "img/000003.JPG", "000004.jpg"]
    assert len(listed) == 3 and listed.attributes == ("spectacles", "beard", "hair")
    assert listed.wearing(names, "spectacles").tolist() == [NO, NO, YES, UNKNOWN]
    assert listed.wearing(names, "beard").tolist() == [NO, YES, YES, UNKNOWN]
    assert listed.wearing(names, "hair").tolist() == [YES, NO, NO, UNKNOWN]


def test_kaggles_table_and_zeros(tmp_path):
    text = "image_id,Eyeglasses,Smiling\n000001.jpg,1,-1\n000002.jpg,-1,1\n000003.jpg,0,1\n000001.jpg,-1,1\n"
    listed = read_attributes(written(tmp_path / "list_attr_celeba.csv", text))
    assert listed.attributes == ("spectacles",)
    np.testing.assert_array_equal(listed.wearing(["000001", "000002", "000003"], "spectacles"), [YES, NO, NO])
    assert listed.wearing(["000001"], "beard").tolist() == [UNKNOWN]
    listed = read_attributes(written(tmp_path / "zeros.csv", "image_id,No_Beard,Eyeglasses\na.jpg,0,1\nb.jpg,1,0\n"))
    assert listed.wearing(["a", "b"], "beard").tolist() == [YES, NO]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("3\nYoung Smiling\na.jpg 1 1\n", "none of Eyeglasses"),
        ("Eyeglasses Bangs\na.jpg 1\n", "entry 1 (a.jpg) has 1 values"),
        ("Eyeglasses\na.jpg yes\n", "others than 1 and -1"),
        ("1\nEyeglasses\n", "names no picture"),
        ("", "is no list of attributes"),
    ],
)
def test_what_is_no_such_list_is_refused_with_its_reason(tmp_path, text, said):
    with pytest.raises(DatasetError) as fault:
        read_attributes(written(tmp_path / "list.txt", text))
    assert said in str(fault.value)


def test_a_missing_list_is_told(tmp_path):
    with pytest.raises(DatasetError):
        read_attributes(tmp_path / "none.txt")
