"""Figures and offline HTML pages, of runs and of reproduced experiments. Importing it loads no torch, no matplotlib."""

from residua.report.diagnosis import Course, Diagnosis, diagnose
from residua.report.gallery import render_gallery
from residua.report.reproduction import render_reproduction
from residua.report.run_page import notes, render_report
from residua.report.side_by_side import comparable, diagnose_runs
from residua.runs.record import Run, read_run

__all__ = [
    "Course",
    "Diagnosis",
    "Run",
    "comparable",
    "diagnose",
    "diagnose_runs",
    "notes",
    "read_run",
    "render_gallery",
    "render_report",
    "render_reproduction",
]
