"""Figures and the offline HTML page of one run or of several. Importing it loads no torch, no matplotlib."""

from residua.report.compare import diagnose_runs
from residua.report.diagnosis import Diagnosis, Outcome, diagnose
from residua.report.folder import Run, read_run
from residua.report.page import render_report

__all__ = ["Diagnosis", "Outcome", "Run", "diagnose", "diagnose_runs", "read_run", "render_report"]
