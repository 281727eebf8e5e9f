"""residua beside its peers, in one run; tables with the evidence."""
