"""Networks as estimators: ``ResidualClassifier`` and ``ResidualRegressor``. With the extra ``sklearn``."""

from residua.errors import ResiduaError

try:
    import sklearn
except ImportError as error:
    raise ImportError("the estimators need scikit-learn: pip install 'residua[sklearn]'") from error

if tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 6):
    raise ResiduaError(f"the estimators need scikit-learn 1.6 or newer, not {sklearn.__version__}")

from residua.estimators.classifier import ResidualClassifier
from residua.estimators.regressor import ResidualRegressor

__all__ = ["ResidualClassifier", "ResidualRegressor"]
