"""Which expression a face shows: a small classifier that users train on their own labelled pictures.

``network`` is its layout, ``training`` how it learns, ``judge`` what is asked of it and its file. Nothing of it ships:
it knows an expression as the set that it was trained on does.
"""

from singanimation.stages.expression.judge import ExpressionJudge
from singanimation.stages.expression.training import ExpressionPictures, ExpressionTraining, train_expression

__all__ = ["ExpressionJudge", "ExpressionPictures", "ExpressionTraining", "train_expression"]
