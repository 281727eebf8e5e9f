"""The page of `residua ui`: runs with live curves, reports, papers, analyses, and networks to show images to."""
