"""scikit-learn's own suite, in full: no check is expected to fail, and none is skipped for what the tags say."""

import pytest

pytest.importorskip("sklearn", reason="the extra sklearn is not installed")

from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator

from residua import ResidualClassifier, ResidualRegressor

ESTIMATORS = (ResidualClassifier, ResidualRegressor)
QUICK = {"model": "residual_mlp_tiny", "epochs": 3}
ENVIRONMENT = {"check_array_api_input"}  # skipped unless SCIPY_ARRAY_API is set before scipy is imported

# a check of each kind, for every run of the tests
SOME = {
    "check_no_attributes_set_in_init",
    "check_estimators_unfitted",
    "check_dont_overwrite_attributes",
    "check_fit2d_1sample",
    "check_fit1d",
    "check_dtype_object",
    "check_complex_data",
    "check_estimator_sparse_array",
    "check_estimators_nan_inf",
    "check_n_features_in",
    "check_dataframe_column_names_consistency",
    "check_methods_subset_invariance",
    "check_estimators_pickle",
    "check_fit_idempotent",
    "check_classifiers_one_label",
    "check_classifiers_classes",
    "check_regressors_no_decision_function",
    "check_regressor_multioutput",
    "check_parameters_default_constructible",
}


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_whole_suite_passes(estimator):
    results = check_estimator(estimator(), on_skip=None)
    assert len(results) > 50
    odd = {each["check_name"]: each["status"] for each in results if each["status"] != "passed"}
    assert set(odd) <= ENVIRONMENT
    assert set(odd.values()) <= {"skipped"}


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_tags_keep_every_check_of_tables(estimator):
    tags = estimator().__sklearn_tags__()
    assert tags.input_tags.two_d_array
    assert not tags.input_tags.allow_nan
    assert not tags.no_validation
    assert not tags.non_deterministic
    assert tags.classifier_tags is None or not tags.classifier_tags.poor_score
    assert tags.regressor_tags is None or not tags.regressor_tags.poor_score


def _chosen():
    for estimator in ESTIMATORS:
        for instance, check in estimator_checks_generator(estimator(**QUICK)):
            name = check.func.__name__
            if name in SOME:
                yield pytest.param(instance, check, id=f"{estimator.__name__}-{name}")


@pytest.mark.parametrize(("instance", "check"), _chosen())
def test_a_check_of_each_kind(instance, check):
    check(instance)
