"""Test that the stand-in gives the answers that `make first-contact` assumes of a real cluster."""

from __future__ import annotations

from first_contact import COPIES, QUESTIONS, answers, is_as_assumed
from warehouse import Warehouse, stand_in


@stand_in
def test_the_stand_in_answers_as_assumed(warehouse: Warehouse) -> None:
    found = list(answers(warehouse))
    assert len(found) == len(QUESTIONS + COPIES)
    assert [
        (question.what, answer) for question, answer in found if not is_as_assumed(question, answer)
    ] == []
